//! Declarations of the functions that a program calls, in place of the driver's header.
//!
//! PoCL has clang read `opencl-c.h`, 18,000 lines that declare every function of OpenCL C for every
//! type, before each program: half of the time of compiling a small kernel. [`OPTION`] is the
//! header's own guard, which leaves it out (types and constants are in another header). A program
//! that calls something which is not in the table here is compiled with the header as ever.

/// Leaves the header out.
pub const OPTION: &str = "-D_OPENCL_H_";

const SIGNED: [&str; 4] = ["char", "short", "int", "long"];
const UNSIGNED: [&str; 4] = ["uchar", "ushort", "uint", "ulong"];
const FLOATS: [&str; 2] = ["float", "double"];
const LANES: [&str; 5] = ["", "2", "4", "8", "16"];
const SPACES: [&str; 3] = ["__global", "__local", "__private"];
/// What looks like a call and is none, or is the compiler's own.
const OTHERS: &str = "if for while switch return sizeof defined vectorize interleave aligned \
                      reqd_work_group_size shuffle2";

/// The declarations of what a program calls, or `None` if one of these functions is not known here.
pub fn declarations(source: &str) -> Option<String> {
    let mut names: Vec<&str> = called(source).collect();
    names.sort_unstable();
    names.dedup();
    let own = |name: &str| {
        let prefix = ["__", "sz_", "SZ_", "as_"].iter();
        OTHERS.split_whitespace().any(|n| n == name) || prefix.clone().any(|p| name.starts_with(p))
    };
    let defined = |name: &str| source.contains(&format!("\nvoid {name}("));
    let mut text = String::new();
    for name in names.into_iter().filter(|n| !own(n) && !defined(n)) {
        for declaration in declare(name)? {
            text += &declaration;
        }
    }
    Some(text + "#line 1\n")
}

/// Names that are followed by a parenthesis.
fn called(source: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    source.split('(').filter_map(move |before| {
        let name = &before[before.trim_end_matches(word).len()..];
        let first = name.chars().next()?;
        (!first.is_ascii_digit()).then_some(name)
    })
}

/// All the overloads of a function, as far as programs of ours may call them.
fn declare(name: &str) -> Option<Vec<String>> {
    let of = |kinds: &[&str], result: &str, parameters: &str| {
        let each = kinds.iter().flat_map(|t| LANES.map(|n| (t, n)));
        let each = each.map(|(t, n)| {
            let filled = |pattern: &str| {
                let pattern = pattern.replace("$i", integer(t, &SIGNED));
                let pattern = pattern.replace("$u", integer(t, &UNSIGNED));
                pattern.replace("$t", t).replace('#', n)
            };
            declaration("const", name, &filled(result), &filled(parameters))
        });
        Some(each.collect::<Vec<_>>())
    };
    let ints = [SIGNED, UNSIGNED].concat();
    let all = [&ints[..], &FLOATS].concat();
    match name {
        "get_global_id" | "get_local_id" | "get_group_id" | "get_num_groups" => {
            Some(vec![declaration("const", name, "size_t", "uint")])
        }
        "barrier" => {
            let flags = "cl_mem_fence_flags";
            Some(vec![declaration("convergent", name, "void", flags)])
        }
        "sqrt" | "floor" | "ceil" | "trunc" | "rint" | "fabs" => of(&FLOATS, "$t#", "$t#"),
        "fma" => of(&FLOATS, "$t#", "$t#, $t#, $t#"),
        "min" | "max" | "mul_hi" => of(&ints, "$t#", "$t#, $t#"),
        "popcount" | "clz" => of(&ints, "$t#", "$t#"),
        "abs" => of(&ints, "$u#", "$t#"),
        "select" => {
            let signed = of(&all, "$t#", "$t#, $t#, $i#")?;
            Some([signed, of(&all, "$t#", "$t#, $t#, $u#")?].concat())
        }
        _ => conversion(name, &all).or_else(|| memory(name, &all)),
    }
}

/// `convert_float16` and the like.
fn conversion(name: &str, kinds: &[&str]) -> Option<Vec<String>> {
    let to = name.strip_prefix("convert_")?;
    let (kind, lanes) = counted(to);
    let from = kinds.iter().map(|t| format!("{t}{lanes}"));
    let each = from.map(|from| declaration("const", name, to, &from));
    (kinds.contains(&kind) && LANES.contains(&lanes)).then(|| each.collect())
}

/// `vload8`, `vstorea_half16_rte` and the like.
fn memory(name: &str, kinds: &[&str]) -> Option<Vec<String>> {
    let plain = name.strip_suffix("_rte").unwrap_or(name);
    let (word, lanes) = counted(plain);
    let (loads, kinds, scalar) = match word {
        "vload" | "vstore" if plain == name => (word == "vload", kinds, None),
        "vload_half" | "vloada_half" if plain == name => (true, &["half"][..], Some("float")),
        "vstore_half" | "vstorea_half" if plain != name => (false, &["half"][..], Some("float")),
        _ => return None,
    };
    let each = kinds.iter().flat_map(|t| SPACES.map(|space| (t, space)));
    let each = each.map(|(t, space)| {
        let value = format!("{}{lanes}", scalar.unwrap_or(t));
        match loads {
            true => declaration("pure", name, &value, &format!("size_t, const {space} {t}*")),
            false => {
                let parameters = format!("{value}, size_t, {space} {t}*");
                format!("void __attribute__((overloadable)) {name}({parameters});\n")
            }
        }
    });
    LANES.contains(&lanes).then(|| each.collect())
}

fn declaration(attribute: &str, name: &str, result: &str, parameters: &str) -> String {
    format!("{result} __attribute__((overloadable, {attribute})) {name}({parameters});\n")
}

/// A name, and the number at its end.
fn counted(name: &str) -> (&str, &str) {
    name.split_at(name.trim_end_matches(|c: char| c.is_ascii_digit()).len())
}

/// The kind of integer that is as wide as a kind.
fn integer<'a>(kind: &str, of: &[&'a str; 4]) -> &'a str {
    let place = [SIGNED, UNSIGNED]
        .iter()
        .find_map(|k| k.iter().position(|k| *k == kind));
    of[place.unwrap_or(if kind == "double" { 3 } else { 2 })]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_is_declared() {
        let source = "#define SZ_RINT(x) rint(x)\n\nvoid map_f(uint n) {\n    if (n) {\n        \
                      x = (float4)(fma(a, b, c), get_group_id(0));\n        y = convert_uchar8(x);\n    }\n}\n";
        let text = declarations(source).unwrap();
        for line in [
            "size_t __attribute__((overloadable, const)) get_group_id(uint);",
            "double16 __attribute__((overloadable, const)) fma(double16, double16, double16);",
            "uchar8 __attribute__((overloadable, const)) convert_uchar8(float8);",
            "float2 __attribute__((overloadable, const)) rint(float2);",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("map_f"), "{text}");
    }

    #[test]
    fn masks_are_as_wide_as_what_they_choose() {
        let text = declarations("select(").unwrap();
        for parameters in [
            "double4, double4, long4",
            "uchar2, uchar2, char2",
            "float, float, uint",
        ] {
            assert!(text.contains(&format!("select({parameters});")), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_to_the_header() {
        for call in [
            "exp(x)",
            "atomic_add(p, x)",
            "convert_half4(x)",
            "convert_int(x), vload_half3_rte(x)",
        ] {
            assert_eq!(declarations(call), None, "{call}");
        }
    }
}
