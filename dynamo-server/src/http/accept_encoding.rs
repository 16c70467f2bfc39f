//! Which packing of the reply a client asks for.
//!
//! The service's own reading of `Accept-Encoding`, as ScyllaDB's tests saw it in 2025; close to RFC 9110 §12.5.3, and
//! where it is not, so are we:
//!
//! - only the first header of that name counts;
//! - the highest weight wins, `identity`'s is overlooked; among equals what is named goes before what only `*` stands
//!   for, then the first named, then gzip;
//! - a weight is what follows the first `q=` behind the name, up to the next `;`: at most 1, and 1 where it cannot be
//!   read.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// A packing that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950: what HTTP calls deflate is zlib's format.
    Deflate,
}

impl Encoding {
    /// As `Content-Encoding` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
        }
    }

    /// What the client that sent `headers` likes best; `None` when it wants the reply as it is.
    pub fn wanted(headers: &HeaderMap) -> Option<Encoding> {
        let text = headers.get(ACCEPT_ENCODING)?.to_str().ok()?;
        let mut best: Option<(Wish, Encoding)> = None;
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            let Some(wish) = Wish::of(encoding, text) else { continue };
            if best.is_none_or(|(other, _)| wish.is_stronger_than(other)) {
                best = Some((wish, encoding));
            }
        }
        best.map(|(_, encoding)| encoding)
    }
}

/// How much one encoding is wanted.
#[derive(Clone, Copy)]
struct Wish {
    /// Above 0, at most 1.
    weight: f32,
    /// Where in the list it is named; behind everything that is named when only `*` stands for it.
    place: usize,
}

impl Wish {
    /// The strongest mention of `encoding`; without one, that of `*`. `None` when it is not wanted.
    fn of(encoding: Encoding, text: &str) -> Option<Wish> {
        let mut named: Option<Wish> = None;
        let mut any: Option<Wish> = None;
        for (place, part) in text.split(',').enumerate() {
            let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
            let (slot, place) = match name.trim() {
                "*" => (&mut any, usize::MAX),
                name if name.eq_ignore_ascii_case(encoding.name()) => (&mut named, place),
                _ => continue,
            };
            let wish = Wish { weight: weight(parameters), place };
            if slot.is_none_or(|other| wish.is_stronger_than(other)) {
                *slot = Some(wish);
            }
        }
        named.or(any).filter(|wish| wish.weight > 0.0)
    }

    fn is_stronger_than(self, other: Wish) -> bool {
        self.weight > other.weight || (self.weight == other.weight && self.place < other.place)
    }
}

fn weight(parameters: &str) -> f32 {
    let Some((_, rest)) = parameters.split_once("q=") else {
        return 1.0;
    };
    let text = rest.split(';').next().unwrap_or_default().trim();
    text.parse().map_or(1.0, |weight: f32| if weight.is_nan() { 1.0 } else { weight.clamp(0.0, 1.0) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(values: &[&'static str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        Encoding::wanted(&headers).map_or("-", Encoding::name)
    }

    /// Each as observed on the service.
    #[test]
    fn one_header() {
        for (value, expected) in [
            ("identity", "-"),
            ("", "-"),
            ("br", "-"),
            ("x-gzip", "-"),
            ("gzip, deflate", "gzip"),
            ("br, identity, deflate, gzip", "deflate"),
            ("GZIP, identity", "gzip"),
            ("dog, gzip ,, cat", "gzip"),
            ("gzip;q=0.8, deflate;q=0.5", "gzip"),
            ("br, gzip;q=0, deflate; q = 0.5 , identity;q=0", "deflate"),
            ("*", "gzip"),
            ("*, deflate;q=0.5", "gzip"),
            ("*, deflate", "deflate"),
            ("*, identity", "gzip"),
            ("*, gzip;q=0.5", "deflate"),
            ("gzip ;q=0", "-"),
            ("identity;q=0", "-"),
            ("*;q=0", "-"),
            ("*;q=0.5,identity", "gzip"),
            ("gzip;q=0.5,identity;q=0.8", "gzip"),
            ("br;q=0.8,identity;q=0.5,*;q=0", "-"),
            ("\"gzip\"", "-"),
            ("gzip br", "-"),
            ("gzip:q=1", "-"),
            ("deflate;q=0.5, gzip;q=31", "gzip"),
            ("gzip;q=31,deflate;q=51", "gzip"),
            ("deflate;q=0.5, gzip;q=0.2", "deflate"),
            ("deflate;q=0.5, gzip;q=1;q=0.2", "gzip"),
            ("deflate;q=0.5,gzip;q=0.", "deflate"),
            ("deflate;q=0.5,gzip;q=0.x", "gzip"),
            ("deflate;q=0.5,gzip;q=0. x", "gzip"),
            ("deflate;q=-0.5,gzip;q=0.2", "gzip"),
            ("gzip;q= 0;q=1", "-"),
            ("gzip;q =0;q=1", "gzip"),
            ("gzip; q=0;q=1", "-"),
            ("gzip;nq=0;q=1", "-"),
            ("gzip;q=0, gzip;q=1, gzip;q=0", "gzip"),
            ("br,identity;q=0.5,gzip;q=0.0001", "gzip"),
        ] {
            assert_eq!(wanted(&[value]), expected, "{value}");
        }
    }

    #[test]
    fn only_the_first_header_counts() {
        assert_eq!(wanted(&[]), "-");
        assert_eq!(wanted(&["gzip", "identity"]), "gzip");
        assert_eq!(wanted(&["identity", "gzip"]), "-");
    }
}
