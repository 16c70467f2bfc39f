//! Values as messages show them, bounded: what a client sent may be 16 MB, and Java's way of printing it many times that.

/// Bytes of one value in a message. Whole for every request that could have been right: the largest part of one that is
/// shown is a name of 64 KB.
pub(crate) const ECHO_BYTES_MAX: usize = 100 * 1024;

/// What stands behind a text that is cut.
const CUT: &str = "...";

/// A text that grows up to [`ECHO_BYTES_MAX`]; what is pushed behind that is dropped.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    text: String,
    is_full: bool,
}

impl Echo {
    /// Appends `text`, or as much of it as there is room for.
    pub(crate) fn push_str(&mut self, text: &str) {
        if self.is_full {
            return;
        }
        let room = ECHO_BYTES_MAX - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return;
        }
        self.text.push_str(&text[..boundary(text, room)]);
        self.text.push_str(CUT);
        self.is_full = true;
    }

    /// Appends one character.
    pub(crate) fn push(&mut self, character: char) {
        self.push_str(character.encode_utf8(&mut [0; 4]));
    }

    /// Whether pushing more is of no use: whoever has many parts to show asks before each.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// The last place up to `at` that does not divide a character.
pub(crate) fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A text that was made whole, cut.
pub(crate) fn cut(text: &str) -> String {
    let mut echo = Echo::default();
    echo.push_str(text);
    echo.into_text()
}

/// Parts with a separator between them, cut.
pub(crate) fn joined(parts: impl Iterator<Item = String>, separator: &str) -> String {
    let mut echo = Echo::default();
    for (position, part) in parts.enumerate() {
        if echo.is_full() {
            break;
        }
        echo.push_str(if position > 0 { separator } else { "" });
        echo.push_str(&part);
    }
    echo.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_between_characters() {
        let long = "é".repeat(ECHO_BYTES_MAX);
        assert_eq!(cut(&long).len(), ECHO_BYTES_MAX + CUT.len());
        assert_eq!(cut(&format!("a{long}")).len(), ECHO_BYTES_MAX - 1 + CUT.len());
        assert_eq!(cut(&long[..ECHO_BYTES_MAX]), long[..ECHO_BYTES_MAX]);
        let mut asked = 0;
        let parts = std::iter::repeat_with(|| "0123456789".to_owned()).inspect(|_| asked += 1);
        assert!(joined(parts, ", ").ends_with(CUT));
        assert!(asked <= ECHO_BYTES_MAX / 12 + 2, "{asked} parts were asked for");
    }
}
