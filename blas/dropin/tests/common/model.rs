//! A naive model of levels 2 and 3: which arguments are wrong, and what a call must leave behind.
//! Whatever a routine must not read is NaN, and whatever it must not write is compared bit by bit.

use super::routines::{Abi, Routine, Value, routines};
use super::storage::{Dense, Form, Store};
use super::{C, Element, Random, close};

/// What a random call is made from. Wrong arguments: a size or a `pad` of -1, an increment of 0,
/// a letter of 254 or 255.
#[derive(Clone, Debug)]
pub struct Spec {
    pub routine: usize,
    pub abi: Abi,
    pub letters: [u8; 4],
    /// m, n, k, kl, ku.
    pub sizes: [i32; 5],
    /// How much larger than the least the leading dimensions of A, B, C are.
    pub pads: [i32; 3],
    /// Of x and y.
    pub increments: [i32; 2],
    /// alpha and beta: 0, 1, or random.
    pub scalars: [u8; 2],
    pub seed: u64,
}

struct Array<T> {
    name: &'static str,
    store: Store,
    data: Vec<T>,
}

/// A call with its arguments.
pub struct Call<T: Element> {
    pub routine: Routine<T>,
    pub abi: Abi,
    pub values: Vec<Value<T>>,
    arrays: Vec<Array<T>>,
}

/// `left`·`right`·`alpha`.
struct Product(C, Dense, Dense);

fn complex<T: Element>() -> bool {
    matches!(T::LETTER, 'c' | 'z')
}

fn same_bits<T: Element>(a: T, b: T) -> bool {
    let bits = |x: T| (x.c().re.to_bits(), x.c().im.to_bits());
    bits(a) == bits(b)
}

impl<T: Element> Call<T> {
    pub fn new(spec: &Spec) -> Call<T> {
        let mut all = routines::<T>();
        let routine = all.swap_remove(spec.routine % all.len());
        let mut call = Call {
            routine,
            abi: spec.abi,
            values: Vec::new(),
            arrays: Vec::new(),
        };
        let mut random = Random(spec.seed);
        let mut letters = spec.letters.iter();
        for (name, kind) in call.routine.parameters.clone() {
            let scalar = |which: u8, random: &mut Random| match which {
                0 => T::of(C::default()),
                1 => T::of(C::new(1.0, 0.0)),
                _ => random.element::<T>(),
            };
            let mut number = || scalar(spec.scalars[usize::from(name == "beta")], &mut random);
            let value = match kind {
                "Choice" => Value::Letter(call.pick(name, letters.next().map_or(0, |l| *l))),
                "Scalar" => Value::Scalar(number()),
                "Real" => Value::Real(T::real(number().c().re)),
                "Array" => {
                    call.arrays.push(Array {
                        name,
                        store: call.store(name),
                        data: Vec::new(),
                    });
                    Value::Array(call.arrays.len() - 1)
                }
                _ => match name {
                    "incx" => Value::Int(spec.increments[0]),
                    "incy" => Value::Int(spec.increments[1]),
                    "lda" => Value::Int(call.store("a").least() as i32 + spec.pads[0]),
                    "ldb" => Value::Int(call.store("b").least() as i32 + spec.pads[1]),
                    "ldc" => Value::Int(call.store("c").least() as i32 + spec.pads[2]),
                    _ => {
                        let place = ["m", "n", "k", "kl", "ku"].iter().position(|s| *s == name);
                        Value::Int(spec.sizes[place.expect(name)])
                    }
                },
            };
            call.values.push(value);
        }
        // The arrays, now that leading dimensions and increments are known.
        for place in 0..call.arrays.len() {
            let name = call.arrays[place].name;
            call.arrays[place].store = call.store(name);
            call.arrays[place].data = call.fill(place, &mut random);
        }
        call
    }

    /// Structure (general, symmetric, Hermitian, triangular), storage, and operation of a name.
    fn parts(&self) -> (u8, u8, &'static str) {
        let stem = self.routine.stem;
        (stem.as_bytes()[0], stem.as_bytes()[1], &stem[2..])
    }

    fn get(&self, name: &str) -> Option<&Value<T>> {
        let place = self.routine.parameters.iter().position(|p| p.0 == name)?;
        self.values.get(place)
    }
    fn letter(&self, name: &str) -> u8 {
        match self.get(name) {
            Some(Value::Letter(l)) => l.to_ascii_uppercase(),
            _ => b'N',
        }
    }
    fn int(&self, name: &str) -> i32 {
        match self.get(name) {
            Some(Value::Int(i)) => *i,
            _ => 0,
        }
    }
    fn size(&self, name: &str) -> usize {
        self.int(name).max(0) as usize
    }
    fn scalar(&self, name: &str) -> C {
        match self.get(name) {
            Some(Value::Scalar(s)) => s.c(),
            Some(Value::Real(r)) => C::new(T::widen(*r), 0.0),
            _ => C::new(1.0, 0.0),
        }
    }

    /// The letters that an option may be.
    pub fn letters(&self, name: &str) -> &'static [u8] {
        let (structure, _, op) = self.parts();
        match name {
            "uplo" => b"UL",
            "diag" => b"NU",
            "side" => b"LR",
            // A Hermitian update knows no plain transposition, a complex symmetric one no conjugation.
            _ if op.ends_with('k') && structure == b'h' => b"NC",
            _ if op.ends_with('k') && complex::<T>() => b"NT",
            _ => b"NTC",
        }
    }

    /// An option: 255 is no letter of any, 254 one that only other routines know; in Fortran the
    /// case is the other for large ones.
    fn pick(&self, name: &str, which: u8) -> u8 {
        let letters = self.letters(name);
        match which {
            255 => b'X',
            254 => *b"TC"
                .iter()
                .find(|l| name.starts_with("trans") && !letters.contains(l))
                .unwrap_or(&b'X'),
            w => {
                let letter = letters[w as usize % letters.len()];
                if w >= 100 {
                    letter.to_ascii_lowercase()
                } else {
                    letter
                }
            }
        }
    }

    fn store(&self, name: &str) -> Store {
        let (structure, storage, op) = self.parts();
        let (m, n, k) = (self.size("m"), self.size("n"), self.size("k"));
        let plain = self.letter("trans") == b'N';
        let turned = |name: &str, a: usize, b: usize| {
            if self.letter(name) == b'N' {
                (a, b)
            } else {
                (b, a)
            }
        };
        let general = structure == b'g';
        let order = if self.letter("side") == b'L' { m } else { n };
        let matrix = matches!(op, "mm" | "sm" | "rk" | "r2k");
        let (rows, cols) = match (name, op) {
            ("x", "mv") if general => (if plain { n } else { m }, 1),
            ("x", _) if general => (m, 1),
            ("y", "mv") if general => (if plain { m } else { n }, 1),
            ("x" | "y", _) => (n, 1),
            ("a", "mm") if general => turned("transa", m, k),
            ("b", "mm") if general => turned("transb", k, n),
            ("a", "mm" | "sm") => (order, order),
            ("a" | "b", "rk" | "r2k") => turned("trans", n, k),
            ("c", "rk" | "r2k") => (n, n),
            ("a", _) if !general => (n, n),
            _ => (m, n),
        };
        let triangle = match name {
            "a" => !general && !op.ends_with('k'),
            "c" => op.ends_with('k'),
            _ => false,
        };
        let uplo = if self.letter("uplo") == b'U' {
            b'U'
        } else {
            b'L'
        };
        let ld = self.int(&format!("ld{name}")).max(0) as usize;
        let form = match name {
            "x" | "y" => Form::Vector {
                inc: self.int(&format!("inc{name}")),
            },
            "a" if storage == b'p' => Form::Packed,
            "a" if storage == b'b' && general => Form::Band {
                ld,
                kl: self.size("kl"),
                ku: self.size("ku"),
            },
            "a" if storage == b'b' && uplo == b'U' => Form::Band { ld, kl: 0, ku: k },
            "a" if storage == b'b' => Form::Band { ld, kl: k, ku: 0 },
            _ => Form::Full { ld },
        };
        let row_major = self.abi == Abi::RowMajor && (matrix || name == "a");
        Store {
            rows,
            cols,
            form,
            half: triangle.then_some(uplo),
            row_major,
        }
    }

    /// The array that is written.
    fn output(&self) -> &'static str {
        match self.parts() {
            (b't', _, "mv" | "sv") => "x",
            (_, _, "mv") => "y",
            (b't', _, _) => "b",
            (_, _, "mm" | "rk" | "r2k") => "c",
            _ => "a",
        }
    }

    /// Is there anything to add to the output?
    fn adds(&self) -> bool {
        let inner = !self.parts().2.ends_with('k') || self.size("k") > 0;
        inner && self.scalar("alpha") != C::default()
    }

    fn fill(&self, place: usize, random: &mut Random) -> Vec<T> {
        let Array { name, store, .. } = self.arrays[place];
        let (structure, ..) = self.parts();
        let written = name == self.output();
        let nan = T::of(C::new(f64::NAN, f64::NAN));
        let mut data = vec![nan; store.len()];
        // What is multiplied by zero is not read.
        if written && self.scalar("beta") == C::default() {
            return data;
        }
        for (i, j, at) in store.elements() {
            let value = random.element::<T>().c();
            let on_diagonal = i == j && store.half.is_some();
            data[at] = T::of(match structure {
                b't' if on_diagonal && self.letter("diag") == b'U' => nan.c(),
                b't' if on_diagonal => value / store.rows as f64 + C::new(1.0, 0.5),
                b't' if name == "a" => value / store.rows as f64,
                // Where nothing is done, the imaginary parts of a diagonal may stay.
                b'h' if on_diagonal && written && !self.adds() => C::new(value.re, 0.0),
                _ => value,
            });
        }
        data
    }

    /// Positions of wrong arguments, as Fortran counts.
    pub fn wrong(&self) -> Vec<i32> {
        let bad = |&(name, kind): &(&'static str, &'static str)| match kind {
            "Choice" => !self.letters(name).contains(&self.letter(name)),
            "Int" if name.starts_with("inc") => self.int(name) == 0,
            "Int" if name.starts_with("ld") => {
                self.int(name) < self.store(&name[2..]).least() as i32
            }
            "Int" => self.int(name) < 0,
            _ => false,
        };
        let parameters = self.routine.parameters.iter().enumerate();
        parameters
            .filter(|(_, p)| bad(p))
            .map(|(i, _)| i as i32 + 1)
            .collect()
    }

    fn dense(&self, arrays: &[Vec<T>], name: &str) -> Dense {
        let place = self.arrays.iter().position(|a| a.name == name).expect(name);
        let (store, data) = (self.arrays[place].store, &arrays[place]);
        let structure = if store.half.is_some() {
            self.parts().0
        } else {
            b'g'
        };
        Dense::new(store.rows, store.cols, |i, j| {
            match (store.offset(i, j), structure) {
                (Some(_), b't') if i == j && self.letter("diag") == b'U' => C::new(1.0, 0.0),
                (Some(at), b'h') if i == j => C::new(data[at].c().re, 0.0),
                (Some(at), _) => data[at].c(),
                (None, b's') => store.offset(j, i).map_or(C::default(), |at| data[at].c()),
                (None, b'h') => store
                    .offset(j, i)
                    .map_or(C::default(), |at| data[at].c().conj()),
                (None, _) => C::default(),
            }
        })
    }

    /// The products that are added to beta times the old output; or, for the solutions, that must
    /// give alpha times the old. None: nothing is done at all.
    fn products(&self, arrays: &[Vec<T>]) -> Option<Vec<Product>> {
        let (structure, _, op) = self.parts();
        let alpha = self.scalar("alpha");
        let of = |name: &str| self.dense(arrays, name);
        let turn = |name: &str, letter: &str| of(name).op(self.letter(letter));
        let left = self.letter("side") == b'L';
        // The other factor of an update, transposed.
        let across = if structure == b'h' { b'C' } else { b'T' };
        let back = if structure == b'h' {
            alpha.conj()
        } else {
            alpha
        };
        let sided = |alpha, a: Dense, b: Dense| {
            if left {
                Product(alpha, a, b)
            } else {
                Product(alpha, b, a)
            }
        };
        Some(match (structure, op) {
            (b'g', "mv") if self.size("m") == 0 || self.size("n") == 0 => return None,
            (b'g', "mv") => vec![Product(alpha, turn("a", "trans"), of("x"))],
            (b't', "mv" | "sv") => vec![Product(alpha, turn("a", "trans"), of("x"))],
            (_, "mv") => vec![Product(alpha, of("a"), of("x"))],
            (b'g', "r" | "ru") => vec![Product(alpha, of("x"), of("y").op(b'T'))],
            (b'g', "rc") => vec![Product(alpha, of("x"), of("y").op(b'C'))],
            (_, "r") => vec![Product(alpha, of("x"), of("x").op(across))],
            (_, "r2") => vec![
                Product(alpha, of("x"), of("y").op(across)),
                Product(back, of("y"), of("x").op(across)),
            ],
            (b'g', "mm") => vec![Product(alpha, turn("a", "transa"), turn("b", "transb"))],
            (b't', "mm") => vec![sided(alpha, turn("a", "trans"), of("b"))],
            (b't', _) => vec![sided(C::new(1.0, 0.0), turn("a", "trans"), of("b"))],
            (_, "mm") => vec![sided(alpha, of("a"), of("b"))],
            (_, "rk") => vec![Product(
                alpha,
                turn("a", "trans"),
                turn("a", "trans").op(across),
            )],
            (_, "r2k") => vec![
                Product(alpha, turn("a", "trans"), turn("b", "trans").op(across)),
                Product(back, turn("b", "trans"), turn("a", "trans").op(across)),
            ],
            other => panic!("{other:?}"),
        })
    }

    /// Makes the call and checks everything that it leaves behind.
    pub fn run_and_check(mut self) -> Result<(), String> {
        let before: Vec<Vec<T>> = self.arrays.iter().map(|a| a.data.clone()).collect();
        let mut values = self.values.clone();
        for value in &mut values {
            if let Value::Array(place) = *value {
                *value = Value::Address(self.arrays[place].data.as_mut_ptr());
            }
        }
        self.routine.call(self.abi, &values);
        let after: Vec<Vec<T>> = self.arrays.iter().map(|a| a.data.clone()).collect();
        self.check(&before, &after).map_err(|what| {
            format!(
                "{} {:?} {:?}: {what}",
                self.routine.name(),
                self.abi,
                self.values
            )
        })
    }

    fn check(&self, before: &[Vec<T>], after: &[Vec<T>]) -> Result<(), String> {
        let output = self.output();
        let (structure, _, op) = self.parts();
        let solve = structure == b't' && op.starts_with('s');
        let refused = !self.wrong().is_empty() || self.abi == Abi::WrongLayout;
        let products = if refused {
            None
        } else {
            self.products(if solve { after } else { before })
        };
        for (place, array) in self.arrays.iter().enumerate() {
            let (old, new) = (&before[place], &after[place]);
            let mut free = vec![false; old.len()];
            if let Some(products) = &products
                && array.name == output
            {
                let beta = if structure == b't' {
                    C::default()
                } else {
                    self.scalar("beta")
                };
                for (i, j, at) in array.store.elements() {
                    free[at] = true;
                    let was = match structure {
                        b'h' if i == j && array.store.half.is_some() => C::new(old[at].c().re, 0.0),
                        _ => old[at].c(),
                    };
                    let kept = if beta == C::default() {
                        beta
                    } else {
                        beta * was
                    };
                    let terms = products.iter().flat_map(|Product(alpha, l, r)| {
                        (0..l.cols).map(move |p| alpha * l.at(i, p) * r.at(p, j))
                    });
                    let good = if solve {
                        close(T::of(self.scalar("alpha") * was), terms)
                    } else {
                        close(new[at], terms.chain([kept]))
                    };
                    if !good {
                        return Err(format!("{} is wrong at {i} {j}: {:?}", array.name, new[at]));
                    }
                }
            }
            if let Some(at) = (0..old.len()).find(|&at| !free[at] && !same_bits(old[at], new[at])) {
                return Err(format!("{} was changed at offset {at}", array.name));
            }
        }
        Ok(())
    }
}
