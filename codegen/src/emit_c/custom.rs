//! Dialects that are described in TOML: a built-in one by name, and the exceptions from it.
//!
//! ```toml
//! base = "cuda"
//! kernel = "extern \"C\" __entry__ void $k"
//! options = ["-fno-fast"]
//! [types]
//! i64 = "long"
//! [preamble]
//! always = "#include <chip.h>\n"
//! ```
//!
//! Keys are the fields of [`Dialect`] and hold what is said there; `docs/plugins.md` lists them. A
//! key that there is not is an error, and so is a value of another form: each names the key.
//!
//! What is read stays for as long as the process: tables are constants elsewhere, and a process
//! meets a handful of descriptions, each read once.

use super::dialect::*;
use crate::ir::{AtomicOp, SubgroupOp};
use crate::target::Support;
use crate::types::Scalar;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use toml::Value;

mod table;
use table::{Table, leak};

const NEEDS: &[(&str, Need)] = &[
    ("always", Need::Always),
    ("f64", Need::F64),
    ("f16", Need::F16),
    ("round", Need::Round),
    ("convert_f16", Need::ConvertF16),
    ("native_f16", Need::NativeF16),
    ("atomic64", Need::Atomic64),
    ("extended_atomic64", Need::ExtendedAtomic64),
    ("subgroups", Need::Subgroups),
    ("shuffle", Need::Shuffle),
    ("stream", Need::Stream),
    ("fragments", Need::Fragments),
];

const ATOMICS: &[(&str, AtomicOp)] = &[
    ("add", AtomicOp::Add),
    ("min", AtomicOp::Min),
    ("max", AtomicOp::Max),
    ("and", AtomicOp::And),
    ("or", AtomicOp::Or),
    ("xor", AtomicOp::Xor),
    ("exchange", AtomicOp::Exchange),
    ("compare_exchange", AtomicOp::CompareExchange),
];

const SUBGROUPS: &[(&str, SubgroupOp)] = &[
    ("add", SubgroupOp::Add),
    ("min", SubgroupOp::Min),
    ("max", SubgroupOp::Max),
    ("exclusive_add", SubgroupOp::ExclusiveAdd),
    ("inclusive_add", SubgroupOp::InclusiveAdd),
    ("broadcast", SubgroupOp::Broadcast),
    ("shuffle", SubgroupOp::Shuffle),
    ("shuffle_xor", SubgroupOp::ShuffleXor),
    ("shuffle_down", SubgroupOp::ShuffleDown),
    ("all", SubgroupOp::All),
    ("any", SubgroupOp::Any),
];

const SUPPORT: &[(&str, Support)] = &[
    ("native", Support::Native),
    ("storage", Support::Storage),
    ("packed", Support::Packed),
    ("missing", Support::Missing),
];

/// What is wrong, naming the key.
type Outcome<T = ()> = Result<T, String>;

/// A built-in dialect by its name, or one that is described.
///
/// # Errors
/// What is wrong with the description, and at which key.
pub fn described(text: &str) -> Outcome<&'static Dialect> {
    static READ: Mutex<Option<HashMap<String, &'static Dialect>>> = Mutex::new(None);
    let text = text.trim();
    if let Some(known) = super::dialect(text) {
        return Ok(known);
    }
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let read = read.get_or_insert_default();
    if let Some(known) = read.get(text) {
        return Ok(known);
    }
    let dialect: &Dialect = Box::leak(Box::new(parse(text)?));
    read.insert(text.to_string(), dialect);
    Ok(dialect)
}

fn parse(text: &str) -> Outcome<Dialect> {
    let names: Vec<&str> = super::DIALECTS.iter().map(|d| d.name).collect();
    let names = names.join(", ");
    if !text.contains('=') {
        return Err(format!(
            "no dialect `{text}`: there are {names}, and descriptions in TOML"
        ));
    }
    let mut table = Table {
        path: String::new(),
        values: text
            .parse::<toml::Table>()
            .map_err(|e| format!("no TOML: {e}"))?,
    };
    let mut base = "";
    table.text("base", &mut base)?;
    let mut d = *super::dialect(base)
        .ok_or_else(|| format!("`base` must be one of {names}, and is `{base}`"))?;

    for (key, slot) in [
        ("name", &mut d.name),
        ("kernel", &mut d.kernel),
        ("prologue", &mut d.prologue),
        ("read_buffer", &mut d.read_buffer),
        ("write_buffer", &mut d.write_buffer),
        ("shared", &mut d.shared),
        ("private", &mut d.private),
        ("unroll", &mut d.unroll),
        ("rolled", &mut d.rolled),
        ("suffix64", &mut d.suffix64),
    ] {
        table.text(key, slot)?;
    }
    table.list("options", &mut d.options)?;
    table.list("options_exact_division", &mut d.options_exact_division)?;
    table.texts("spaces", &mut d.spaces)?;
    table.texts("barriers", &mut d.barriers)?;
    table.texts("mul_hi", &mut d.mul_hi)?;
    table.texts("popcount", &mut d.popcount)?;
    table.texts("clz", &mut d.clz)?;
    table.named("f16", SUPPORT, &mut d.f16)?;
    table.lanes("max_lanes", &mut d.max_lanes)?;
    table.flag("native_f16", &mut d.native_f16)?;

    table.section("preamble", |t| preamble(t, &mut d))?;
    table.section("types", |t| {
        let slots = Scalar::ALL.iter().zip(&mut d.types);
        slots
            .into_iter()
            .try_for_each(|(s, slot)| t.text(s.name(), slot).map(drop))
    })?;
    table.section("builtins", |t| {
        let b = &mut d.builtins;
        t.all([
            ("global_id", &mut b.global_id),
            ("local_id", &mut b.local_id),
            ("group_id", &mut b.group_id),
            ("num_groups", &mut b.num_groups),
            ("subgroup_size", &mut b.subgroup_size),
            ("subgroup_lane", &mut b.subgroup_lane),
            ("subgroup_id", &mut b.subgroup_id),
        ])
    })?;
    table.section("half", |t| {
        let h = &mut d.half;
        t.all([
            ("memory", &mut h.memory),
            ("array", &mut h.array),
            ("load", &mut h.load),
            ("store", &mut h.store),
            ("round", &mut h.round),
        ])
    })?;
    table.section("bitcasts", |t| {
        let b = &mut d.bitcasts;
        t.all([
            ("ints", &mut b.ints),
            ("from_f32", &mut b.from_f32),
            ("to_f32", &mut b.to_f32),
            ("from_f64", &mut b.from_f64),
            ("to_f64", &mut b.to_f64),
        ])
    })?;
    table.section("math", |t| {
        let m = &mut d.math;
        t.all([
            ("sqrt", &mut m.sqrt),
            ("floor", &mut m.floor),
            ("ceil", &mut m.ceil),
            ("trunc", &mut m.trunc),
            ("rint", &mut m.rint),
            ("abs", &mut m.abs),
            ("fma", &mut m.fma),
        ])
    })?;
    if table.absent("vectors") {
        d.vectors = None;
    }
    table.section("vectors", |t| vectors(t, &mut d))?;
    if table.absent("fragments") {
        d.fragments = None;
    }
    table.section("fragments", |t| fragments(t, &mut d))?;
    table.section("intrinsics", |t| intrinsics(t, &mut d))?;
    table.section("atomics", |t| {
        let mut rows = d.atomics.to_vec();
        for (key, op) in ATOMICS {
            let row = rows.iter().find(|r| r.0 == *op);
            let mut texts = row.map_or(["", ""], |r| [r.1, r.2]);
            if t.texts(key, &mut texts)? {
                rows.retain(|r| r.0 != *op);
                rows.push((*op, texts[0], texts[1]));
            }
        }
        d.atomics = rows.leak();
        Ok(())
    })?;
    if table.absent("subgroups") {
        d.subgroups = &[];
    }
    table.section("subgroups", |t| {
        let mut rows = d.subgroups.to_vec();
        for (key, op) in SUBGROUPS {
            let mut text = "";
            if t.text(key, &mut text)? {
                rows.retain(|r| r.0 != *op);
                rows.push((*op, text));
            }
        }
        d.subgroups = rows.leak();
        Ok(())
    })?;
    table.done()?;
    if d.vectors.is_none() && d.max_lanes > 1 {
        return Err(format!(
            "`max_lanes` is {}, and there are no `vectors`",
            d.max_lanes
        ));
    }
    Ok(d)
}

/// A text in place of all that the base has for a need; or a list, whose texts take the place of the
/// base's one by one, and the rest stays. What the base has nothing for comes first.
fn preamble(t: &mut Table, d: &mut Dialect) -> Outcome {
    let mut pieces = d.preamble.to_vec();
    let mut all = vec![];
    for (key, need) in NEEDS {
        let Some(value) = t.take(key) else { continue };
        let own: Vec<usize> = (0..pieces.len())
            .filter(|&i| pieces[i].0 == *need)
            .collect();
        let (texts, keep) = match value {
            Value::String(text) => (vec![text], 1),
            Value::Array(list) => {
                let texts = list.into_iter().map(|v| t.string(key, v));
                (texts.collect::<Outcome<Vec<_>>>()?, own.len())
            }
            _ => return Err(t.wrong(key, "a text, or a list of texts")),
        };
        for (n, text) in texts.into_iter().enumerate() {
            let text = leak(text);
            match own.get(n) {
                Some(&i) => pieces[i].1 = text,
                None => all.push((*need, text)),
            }
        }
        for &i in own.iter().skip(keep) {
            pieces[i].1 = "";
        }
    }
    pieces.retain(|piece| !piece.1.is_empty());
    all.extend(pieces);
    d.preamble = all.leak();
    Ok(())
}

fn vectors(t: &mut Table, d: &mut Dialect) -> Outcome {
    let Some(mut v) = d.vectors.copied() else {
        return Err("`vectors`: the base has none to make exceptions from".into());
    };
    t.all([
        ("compose", &mut v.compose),
        ("lane", &mut v.lane),
        ("shuffle", &mut v.shuffle),
        ("convert", &mut v.convert),
        ("select", &mut v.select),
        ("min", &mut v.min),
        ("max", &mut v.max),
        ("abs", &mut v.abs),
        ("load", &mut v.load),
        ("load_aligned", &mut v.load_aligned),
        ("store", &mut v.store),
        ("store_aligned", &mut v.store_aligned),
        ("store_line", &mut v.store_line),
        ("load_half", &mut v.load_half),
        ("load_half_aligned", &mut v.load_half_aligned),
        ("store_half", &mut v.store_half),
        ("store_half_aligned", &mut v.store_half_aligned),
    ])?;
    d.vectors = Some(Box::leak(Box::new(v)));
    Ok(())
}

fn fragments(t: &mut Table, d: &mut Dialect) -> Outcome {
    let Some(mut f) = d.fragments.copied() else {
        return Err("`fragments`: the base has none to make exceptions from".into());
    };
    t.all([
        ("declare_factor", &mut f.declare_factor),
        ("declare_accumulator", &mut f.declare_accumulator),
        ("fill", &mut f.fill),
        ("load_factor", &mut f.load_factor),
        ("load_accumulator", &mut f.load_accumulator),
        ("mul_add", &mut f.mul_add),
        ("store", &mut f.store),
    ])?;
    t.texts("roles", &mut f.roles)?;
    t.texts("factor_layouts", &mut f.factor_layouts)?;
    t.texts("accumulator_layouts", &mut f.accumulator_layouts)?;
    if let Some(shapes) = t.take("shapes") {
        let wrong = || t.wrong("shapes", "a list of [factor, accumulator, m, n, k]");
        let rows = shapes.as_array().ok_or_else(wrong)?.iter().map(|row| {
            let [a, c, m, n, k] = row.as_array()?.as_slice() else {
                return None;
            };
            let scalar = |v: &Value| Scalar::from_name(v.as_str()?);
            let size = |v: &Value| u8::try_from(v.as_integer()?).ok();
            Some((scalar(a)?, scalar(c)?, size(m)?, size(n)?, size(k)?))
        });
        let rows: Option<Vec<_>> = rows.collect();
        f.shapes = rows.ok_or_else(wrong)?.leak();
    }
    t.section("elems", |t| {
        let mut rows = f.elems.to_vec();
        for scalar in Scalar::ALL {
            let mut texts = ["", ""];
            if t.texts(scalar.name(), &mut texts)? {
                rows.retain(|r| r.0 != scalar);
                rows.push((scalar, texts[0], texts[1]));
            }
        }
        f.elems = rows.leak();
        Ok(())
    })?;
    d.fragments = Some(Box::leak(Box::new(f)));
    Ok(())
}

fn intrinsics(t: &mut Table, d: &mut Dialect) -> Outcome {
    let mut rows = d.intrinsics.to_vec();
    for intrinsic in crate::intrinsics::INTRINSICS {
        let mut texts = ["", ""];
        if t.texts(intrinsic.name, &mut texts)? {
            rows.retain(|r| r.0 != intrinsic.name);
            rows.push((intrinsic.name, texts[0], texts[1]));
        }
    }
    d.intrinsics = rows.leak();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        described(text).unwrap_err()
    }

    #[test]
    fn exceptions_replace_and_the_rest_stays() {
        let text = r#"
            base = "cuda"
            name = "chip"
            options = ["-precise"]
            barriers = ["wait();", "wait_all();"]
            fragments = false
            subgroups = false
            [types]
            i64 = "long"
            [math]
            fma = "mad($0, $1, $2)"
            [preamble]
            always = "import chip\n"
            [atomics]
            add = ["add($p, $0)", "add64($p, $0)"]
            [intrinsics]
            native_exp = ["e($0)", "e64($0)"]
        "#;
        let chip = described(text).unwrap();
        let cuda = super::super::dialect("cuda").unwrap();
        assert_eq!((chip.name, chip.options), ("chip", &["-precise"][..]));
        assert_eq!(chip.barriers, ["wait();", "wait_all();"]);
        assert_eq!(chip.types[Scalar::I64 as usize], "long");
        assert_eq!(chip.types[Scalar::I32 as usize], "int");
        assert_eq!(
            (chip.math.fma, chip.math.sqrt),
            ("mad($0, $1, $2)", cuda.math.sqrt)
        );
        assert!(chip.fragments.is_none() && chip.subgroups.is_empty());
        assert!(chip.preamble.contains(&(Need::Always, "import chip\n")));
        assert_eq!(chip.preamble.len(), cuda.preamble.len() + 1);
        assert!(
            chip.atomics
                .contains(&(AtomicOp::Add, "add($p, $0)", "add64($p, $0)"))
        );
        assert_eq!(chip.atomics.len(), cuda.atomics.len());
        assert!(
            chip.intrinsics
                .contains(&("native_exp", "e($0)", "e64($0)"))
        );
        // Read once.
        assert!(std::ptr::eq(chip, described(text).unwrap()));
    }

    #[test]
    fn pieces_of_the_preamble_are_replaced_one_by_one_or_all_at_once() {
        let of = |text: &str| {
            let pieces = described(text).unwrap().preamble.iter();
            let own = pieces.filter(|p| p.0 == Need::Subgroups).map(|p| p.1);
            own.collect::<Vec<_>>()
        };
        let cuda = of("cuda");
        assert_eq!(cuda.len(), 2);
        let one = of("base = \"cuda\"\n[preamble]\nsubgroups = [\"mine\"]");
        assert_eq!(one, ["mine", cuda[1]]);
        assert_eq!(
            of("base = \"cuda\"\n[preamble]\nsubgroups = \"mine\""),
            ["mine"]
        );
        assert!(of("base = \"cuda\"\n[preamble]\nsubgroups = \"\"").is_empty());
    }

    #[test]
    fn errors_name_the_key() {
        assert!(error("ptx").contains("no dialect `ptx`: there are opencl, cuda, hip"));
        assert!(error("base = ").contains("no TOML"));
        assert!(error("base = \"ptx\"").contains("`base` must be one of opencl"));
        let cases = [
            ("optons = []", "there is no key `optons`"),
            ("options = 1", "`options` must be a list of texts"),
            ("kernel = 1", "`kernel` must be text"),
            ("barriers = [\"a\"]", "`barriers` must be a list of 2 texts"),
            ("f16 = \"some\"", "`f16` must be one of native, storage"),
            ("max_lanes = 3", "`max_lanes` must be 1, 2, 4, 8 or 16"),
            (
                "max_lanes = 4",
                "`max_lanes` is 4, and there are no `vectors`",
            ),
            ("[types]\ni65 = \"x\"", "there is no key `types.i65`"),
            ("[math]\nfma = 3", "`math.fma` must be text"),
            (
                "[atomics]\nadd = \"x\"",
                "`atomics.add` must be a list of texts",
            ),
            (
                "[preamble]\nalways = 1",
                "`preamble.always` must be a text, or",
            ),
            ("[vectors]\nload = \"x\"", "the base has none"),
            ("types = 1", "`types` must be a table"),
            (
                "[fragments]\nshapes = [[\"f16\"]]",
                "`fragments.shapes` must be a list of",
            ),
        ];
        for (text, says) in cases {
            let error = error(&format!("base = \"cuda\"\n{text}"));
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
