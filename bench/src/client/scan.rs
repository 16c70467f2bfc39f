//! Reads single values out of JSON text by searching, for checks that must cost next to nothing.
//!
//! The first occurrence of a quoted name counts; the checks only ask for names that the workloads' items do not hold.

use memchr::memmem;

/// The text of the value behind the first `"name":`, brackets and quotes included.
pub fn value<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let quoted = format!("\"{name}\"");
    let rest = after_colon(body, memmem::find(body, quoted.as_bytes())? + quoted.len())?;
    Some(&rest[..value_length(rest)?])
}

/// The text behind the first `"name":`; one without escapes.
pub fn text(body: &[u8], name: &str) -> Option<String> {
    let quoted = value(body, name)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    String::from_utf8(quoted.to_vec()).ok()
}

/// The texts behind each `"name":`.
pub fn texts(body: &[u8], name: &str) -> Vec<String> {
    let quoted = format!("\"{name}\"");
    memmem::find_iter(body, quoted.as_bytes()).filter_map(|at| text(&body[at..], name)).collect()
}

/// The whole number behind the first `"name":`.
pub fn whole_number(body: &[u8], name: &str) -> Option<u64> {
    std::str::from_utf8(value(body, name)?).ok()?.parse().ok()
}

/// The sum of all number attributes (`"name":{"N":"12"}`) of this name.
pub fn sum_of_numbers(body: &[u8], name: &str) -> Option<u64> {
    let quoted = format!("\"{name}\"");
    let mut sum = 0;
    for at in memmem::find_iter(body, quoted.as_bytes()) {
        let value = after_colon(body, at + quoted.len())?;
        let number = self::value(&value[..value_length(value)?], "N")?;
        let digits = number.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        sum += std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?;
    }
    Some(sum)
}

/// Whether `part` occurs in `body`.
pub fn contains(body: &[u8], part: &[u8]) -> bool {
    memmem::find(body, part).is_some()
}

fn after_colon(body: &[u8], at: usize) -> Option<&[u8]> {
    Some(body.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

/// Length of the JSON value at the start of `text`.
fn value_length(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut at) = (0_usize, false, 0);
    loop {
        let byte = *text.get(at)?;
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 && !in_string && matches!(byte, b'"' | b'}' | b']') {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_and_without_spaces() {
        let body = br#"{"ScannedCount":3, "Count": 12,"LastEvaluatedKey" : {"pk":{"S":"a}\"b"}},"Items":[]}"#;
        assert_eq!(whole_number(body, "Count"), Some(12));
        assert_eq!(value(body, "LastEvaluatedKey"), Some(br#"{"pk":{"S":"a}\"b"}}"#.as_slice()));
        assert_eq!(value(body, "Items"), Some(b"[]".as_slice()));
        assert_eq!(value(body, "Absent"), None);
        assert_eq!(whole_number(br#"{"Count":7}"#, "Count"), Some(7));
    }

    #[test]
    fn sums() {
        let body = br#"{"Items":[{"n":{"N":"1"}},{"n": {"N": "41"}},{}]}"#;
        assert_eq!(sum_of_numbers(body, "n"), Some(42));
        assert_eq!(sum_of_numbers(b"{}", "n"), Some(0));
        assert_eq!(sum_of_numbers(br#"{"n":{"S":"x"}}"#, "n"), None);
    }
}
