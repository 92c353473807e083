//! Templates: the form in which dialect tables hold source text.
//!
//! `$` and one character is a placeholder. Digits are operands in the order that the table's row
//! documents; letters are named in [`super::dialect`]. `$$` is a dollar sign.

/// The values of placeholders: operands by number, the rest by letter.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    /// `$0`, `$1`…
    pub operands: &'a [&'a str],
    /// `$p`, `$t`…
    pub named: &'a [(char, &'a str)],
}

/// Fills a template in.
///
/// A placeholder that has no value is an error in a dialect's table, which is reported rather than
/// printed.
pub fn expand(template: &str, args: Args) -> Result<String, String> {
    let mut out = String::with_capacity(template.len() + 16);
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c != '$' {
            out.push(c);
            continue;
        }
        let key = chars.next().unwrap_or('$');
        let value = match key.to_digit(10) {
            Some(i) => args.operands.get(i as usize).copied(),
            None if key == '$' => Some("$"),
            None => args.named.iter().find(|(k, _)| *k == key).map(|(_, v)| *v),
        };
        out.push_str(value.ok_or_else(|| {
            format!("the dialect's template `{template}` uses `${key}`, which has no value there")
        })?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_operands_and_names() {
        let args = Args {
            operands: &["a", "b"],
            named: &[('t', "int")],
        };
        assert_eq!(
            expand("($t)($1 $$ $0)", args).as_deref(),
            Ok("(int)(b $ a)")
        );
        assert!(expand("$2", args).is_err());
        assert!(expand("$q", args).is_err());
    }
}
