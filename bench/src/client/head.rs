//! The head of an HTTP/1.1 reply: status, and how the body's end is found.

/// How the body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes follow the head.
    Length(usize),
    /// Chunks follow, the last one empty.
    Chunked,
}

/// What the head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes of the head, the empty line included.
    pub bytes: usize,
    /// How the body's end is found.
    pub framing: Framing,
    /// The server will close the connection after this reply.
    pub close: bool,
}

/// The head at the start of `bytes`; `None` while it is incomplete.
///
/// # Errors
/// When the bytes are no HTTP/1.1 reply, or the reply has no length.
pub fn parse(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let (line, mut rest) = split_line(&bytes[..end + 2]);
    let status = status(line)?;
    let (mut framing, mut close) = (None, false);
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        // Only three headers matter, and they begin with two letters.
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    framing = Some(Framing::Length(decimal(value)?));
                } else if let Some(value) = value_of(line, b"connection") {
                    close = value.eq_ignore_ascii_case(b"close");
                }
            }
            Some(b't' | b'T')
                if value_of(line, b"transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) =>
            {
                framing = Some(Framing::Chunked);
            }
            _ => {}
        }
    }
    let framing = framing.ok_or("a reply without a length")?;
    Ok(Some(Head { status, bytes: end + 4, framing, close }))
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\r', bytes) {
        Some(at) => (&bytes[..at], bytes.get(at + 2..).unwrap_or_default()),
        None => (bytes, &[]),
    }
}

fn status(line: &[u8]) -> Result<u16, &'static str> {
    let digits = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or("not an HTTP/1.1 reply")?;
    decimal(digits).map(|status| status as u16)
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn decimal(digits: &[u8]) -> Result<usize, &'static str> {
    let text = std::str::from_utf8(digits).map_err(|_| "not a number")?;
    text.parse().map_err(|_| "not a number")
}

/// The content of a chunked body; `None` while it is incomplete.
///
/// # Errors
/// When a chunk's size is not a hexadecimal number.
pub fn dechunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let mut body = Vec::new();
    loop {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n") else { return Ok(None) };
        let digits = bytes[..end].split(|&byte| byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits.trim_ascii()).map_err(|_| "not a chunk")?;
        let size = usize::from_str_radix(digits, 16).map_err(|_| "not a chunk")?;
        let Some(chunk) = bytes.get(end + 2..end + 2 + size + 2) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&chunk[..size]);
        bytes = &bytes[end + 2 + size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let parse_text = |text: &str| parse(text.as_bytes());
        let head =
            parse_text("HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 5\r\n\r\nhello").expect("valid").expect("whole");
        assert_eq!(head, Head { status: 200, bytes: 44, framing: Framing::Length(5), close: false });
        let head = parse_text("HTTP/1.1 400 Bad\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n");
        let head = head.expect("valid").expect("whole");
        assert_eq!((head.status, head.framing, head.close), (400, Framing::Chunked, true));
        assert_eq!(parse_text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), Ok(None));
        assert!(parse_text("HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(parse_text("SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn chunks() {
        assert_eq!(dechunk(b"5\r\nhello\r\n1;x\r\n!\r\n0\r\n\r\n"), Ok(Some(b"hello!".to_vec())));
        assert_eq!(dechunk(b"5\r\nhel"), Ok(None));
        assert!(dechunk(b"zz\r\n").is_err());
    }
}
