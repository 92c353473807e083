//! What is done to a source before the compiler sees it: PTX conversions become calls, and every
//! kernel gets an entry. Everything else is the header's affair.

/// A kernel of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Most work-items of a group, as `__launch_bounds__` has it; 0 where it says nothing.
    pub most: u32,
}

/// The source as the compiler gets it: header, text, entries.
pub fn prepare(header: &str, source: &str) -> String {
    let mut text = format!("{header}\n#line 1 \"kernel\"\n{}\n", without_ptx(source));
    for Entry { name, most } in entries(source) {
        text += &format!("SZ_KERNEL({name}, {most})\n");
    }
    text
}

/// The kernels of a source: what follows `__global__`, up to the parameters.
pub fn entries(source: &str) -> Vec<Entry> {
    let mut found = vec![];
    for part in source.split("__global__").skip(1) {
        let mut most = 0;
        let mut rest = part;
        // Attributes have parentheses too; the name stands before the first that are not theirs.
        while let Some(open) = rest.find('(') {
            let word = rest[..open].trim_end();
            let start = word
                .rfind(|c: char| !c.is_alphanumeric() && c != '_')
                .map_or(0, |i| i + 1);
            let word = &word[start..];
            if !matches!(word, "__launch_bounds__" | "__attribute__" | "__align__") {
                if !word.is_empty() {
                    let name = word.to_string();
                    found.push(Entry { name, most });
                }
                break;
            }
            let Some(inside) = parenthesised(&rest[open..]) else {
                break;
            };
            if word == "__launch_bounds__" {
                let first = inside.split(',').next().unwrap_or("").trim();
                most = first.trim_end_matches(['u', 'U']).parse().unwrap_or(0);
            }
            rest = &rest[open + inside.len() + 2..];
        }
    }
    found
}

/// The text between the parenthesis that `text` begins with and its partner.
fn parenthesised(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[1..i]);
        }
    }
    None
}

/// `asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));` becomes `f = sz_ptx_cvt_f32_f16(h);`: one
/// instruction, its result first. What is of another form is left for the compiler to refuse.
fn without_ptx(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("asm(") {
        out += &rest[..at];
        rest = &rest[at..];
        let Some(inside) = parenthesised(&rest[3..]) else {
            break;
        };
        match call(inside) {
            Some(call) => out += &call,
            None => out += &rest[..inside.len() + 5],
        }
        rest = &rest[inside.len() + 5..];
    }
    out + rest
}

fn call(asm: &str) -> Option<String> {
    let (text, operands) = asm.trim().strip_prefix('"')?.split_once('"')?;
    let name = text.split_whitespace().next()?.replace('.', "_");
    let (outputs, inputs) = operands.trim().strip_prefix(':')?.split_once(':')?;
    let value = |operand: &str| {
        Some(
            operand
                .trim()
                .split_once('(')?
                .1
                .strip_suffix(')')?
                .to_string(),
        )
    };
    let result = value(outputs)?;
    let inputs: Option<Vec<String>> = inputs.split(',').map(value).collect();
    Some(format!("{result} = sz_ptx_{name}({})", inputs?.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found() {
        let entry = |name: &str, most| Entry {
            name: name.into(),
            most,
        };
        let text = "template <class T> __device__ T f(T a) { return g(a); }\n\
            extern \"C\" __global__ void __launch_bounds__(256, 2) first(\n    const float* x) {}\n\
            __global__ void second (int n) { f(n); }";
        assert_eq!(entries(text), [entry("first", 256), entry("second", 0)]);
        assert_eq!(entries("__device__ void f();"), []);
        assert_eq!(entries("// __global__"), []);
    }

    #[test]
    fn conversions_become_calls() {
        let text = "float f; asm(\"cvt.f32.f16 %0, %1;\" : \"=f\"(f) : \"h\"(h)); return f;";
        assert_eq!(
            without_ptx(text),
            "float f; f = sz_ptx_cvt_f32_f16(h); return f;"
        );
        let barrier = "asm(\"bar.sync 0;\");";
        assert_eq!(without_ptx(barrier), barrier);
    }
}
