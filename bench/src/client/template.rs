//! Whole HTTP requests, formatted once; a request is made by patching a few digits in place.
//!
//! All numbers that vary (keys, mostly) have [`KEY_DIGITS`] digits, so that neither the length nor any offset changes:
//! sending the next request costs a handful of byte stores. Payloads are copied from a pool of random letters, at a
//! place that depends on the item: text that repeats from item to item would let a server that compresses shrink its
//! data to a tenth.

use std::sync::OnceLock;

use super::{Endpoint, Sender};
use crate::stats::{Random, mix};

/// Digits of every number that is patched in: enough for 100 million keys.
pub const KEY_DIGITS: usize = 8;

/// Bytes of random letters that payloads are cut from; far more than a store compresses together.
const POOL_BYTES: usize = 1 << 20;

/// The JSON body of a request, with numbered places for digits.
#[derive(Clone, Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

/// A place for something that depends on the number with this index.
#[derive(Clone, Copy, Debug)]
struct Slot {
    offset: usize,
    number: usize,
    content: Content,
}

/// What fills a place.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// [`KEY_DIGITS`] digits of the number.
    Digits,
    /// So many random letters, which depend on the number, the one `further` behind it, and the seed.
    Letters { length: usize, further: usize, seed: u64 },
}

/// A request that lacks only its numbers.
#[derive(Clone, Debug)]
pub struct Template {
    authority: String,
    operation: String,
    /// Head and body.
    bytes: Vec<u8>,
    /// Where the body begins.
    body_at: usize,
    /// Places in the body.
    slots: Vec<Slot>,
}

impl Body {
    /// A body that begins with this text.
    pub fn new(text: &str) -> Body {
        Body::default().text(text)
    }

    /// The body followed by this text.
    pub fn text(mut self, text: &str) -> Body {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// The body followed by the digits of number `number`.
    pub fn digits(mut self, number: usize) -> Body {
        self.slots.push(Slot { offset: self.bytes.len(), number, content: Content::Digits });
        self.bytes.extend_from_slice(&[b'0'; KEY_DIGITS]);
        self
    }

    /// The body followed by random letters that depend on number `number`, the one `further` behind it, and the seed.
    pub fn letters(mut self, length: usize, number: usize, further: usize, seed: u64) -> Body {
        let content = Content::Letters { length, further, seed };
        self.slots.push(Slot { offset: self.bytes.len(), number, content });
        self.bytes.resize(self.bytes.len() + length, b'x');
        self
    }

    /// The body followed by `other`, whose number 0 is number `first` here.
    pub fn append(mut self, other: &Body, first: usize) -> Body {
        let base = self.bytes.len();
        let moved =
            other.slots.iter().map(|slot| Slot { offset: base + slot.offset, number: first + slot.number, ..*slot });
        self.slots.extend(moved);
        self.bytes.extend_from_slice(&other.bytes);
        self
    }

    /// The body with another name, of the same length, wherever this one stands.
    pub fn renamed(mut self, from: &str, to: &str) -> Body {
        assert_eq!(from.len(), to.len(), "places would move");
        let places: Vec<usize> = memchr::memmem::find_iter(&self.bytes, from).collect();
        for at in places {
            self.bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        self
    }

    /// The body with zeros for digits.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many numbers it takes.
    pub fn numbers(&self) -> usize {
        self.slots.iter().map(|slot| slot.number + 1).max().unwrap_or(0)
    }
}

impl Template {
    /// The request for one operation of the API, with plain headers.
    pub fn new(endpoint: &Endpoint, operation: &str, body: &Body) -> Template {
        let template = Template {
            authority: endpoint.authority.clone(),
            operation: operation.to_owned(),
            bytes: body.bytes.clone(),
            body_at: 0,
            slots: body.slots.clone(),
        };
        template.sent_by(Sender::Plain)
    }

    /// The same request from another client.
    pub fn sent_by(&self, sender: Sender) -> Template {
        let body = &self.bytes[self.body_at..];
        let mut bytes = sender.head(&self.authority, &self.operation, body.len()).into_bytes();
        let body_at = bytes.len();
        bytes.extend_from_slice(body);
        Template { bytes, body_at, ..self.clone() }
    }

    /// The request with these numbers. `numbers` must hold as many as the body has places for.
    pub fn fill(&mut self, numbers: &[u64]) -> &[u8] {
        let body = &mut self.bytes[self.body_at..];
        for slot in &self.slots {
            let number = numbers[slot.number];
            match slot.content {
                Content::Digits => write_digits(&mut body[slot.offset..slot.offset + KEY_DIGITS], number),
                Content::Letters { length, further, seed } => {
                    let place = mix(number ^ mix(numbers[slot.number + further] ^ mix(seed)));
                    body[slot.offset..slot.offset + length].copy_from_slice(letters(place, length));
                }
            }
        }
        &self.bytes
    }
}

/// Letters from the pool, which are those of base64. At most half of it may be asked for at once.
pub fn letters(place: u64, length: usize) -> &'static [u8] {
    static POOL: OnceLock<Vec<u8>> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut random = Random::new(1);
        (0..POOL_BYTES).map(|_| LETTERS[random.below(64) as usize]).collect()
    });
    let start = (place % (POOL_BYTES - length) as u64) as usize;
    &pool[start..start + length]
}

/// Writes the last digits of `number`, with leading zeros.
pub fn write_digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_patched_and_the_length_stays() {
        let item = Body::new("<").digits(0).text(">");
        let body = Body::new("[").append(&item, 0).append(&item, 1).text("]");
        assert_eq!(body.numbers(), 2);
        let mut template = Template::new(&Endpoint::local(1), "GetItem", &body);
        let first = template.fill(&[7, 12_345_678]).to_vec();
        let text = String::from_utf8(first).expect("ASCII");
        assert!(text.ends_with("\r\n\r\n[<00000007><12345678>]"), "{text}");
        assert!(text.contains("Content-Length: 22\r\n"), "{text}");
        assert!(text.contains("X-Amz-Target: DynamoDB_20120810.GetItem\r\n"), "{text}");
        assert!(template.fill(&[0, 99]).ends_with(b"[<00000000><00000099>]"));
        let mut other = template.sent_by(Sender::Boto3).sent_by(Sender::JavaScript);
        let text = String::from_utf8(other.fill(&[7, 8]).to_vec()).expect("ASCII");
        assert!(text.ends_with("\r\n\r\n[<00000007><00000008>]") && text.contains("aws-sdk-js"), "{text}");
    }

    #[test]
    fn letters_depend_on_the_item_and_on_the_seed() {
        let item = |seed| Body::new("").letters(100, 0, 1, seed);
        let fill = |body: &Body, numbers: [u64; 2]| {
            let bytes = Template::new(&Endpoint::local(1), "X", body).fill(&numbers).to_vec();
            bytes[bytes.len() - 100..].to_vec()
        };
        let letters = fill(&item(1), [3, 4]);
        assert_eq!(letters, fill(&item(1), [3, 4]));
        assert!(letters.iter().all(|letter| letter.is_ascii_alphanumeric() || b"+/".contains(letter)));
        for other in [fill(&item(1), [3, 5]), fill(&item(1), [2, 4]), fill(&item(2), [3, 4])] {
            assert_ne!(letters, other);
        }
    }
}
