//! The code that the owner of a confirmed booking shows at the door. It is computed,
//! not stored: whoever has the secret can check it.

use engine::BookingId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Crockford's base 32: no letter that is read as a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Letters of a code, 5 bits each: 50 bits cannot be guessed at a door.
const LETTERS: usize = 10;

/// Computes ticket codes.
#[derive(Clone)]
pub(crate) struct TicketCodes(Hmac<Sha256>);

impl TicketCodes {
    /// With a secret that never changes: a new one makes every code given out wrong.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        // Another prefix, another use: the same secret may sign other things.
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("an HMAC takes keys of any length");
        mac.update(b"eventflow ticket 1");
        Self(mac)
    }

    /// The code of a booking, e.g. `7K3QD-9ZT2M`.
    pub(crate) fn code(&self, booking: BookingId) -> String {
        let mut mac = self.0.clone();
        mac.update(&booking.bytes());
        let digest = mac.finalize().into_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        let bits = u64::from_be_bytes(first);
        let mut code = String::with_capacity(LETTERS + 1);
        for n in 0..LETTERS {
            if n == LETTERS / 2 {
                code.push('-');
            }
            let letter = (bits >> (64 - 5 * (n + 1))) & 31;
            code.push(char::from(ALPHABET[letter as usize]));
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_depend_on_secret_and_booking() {
        let (a, b) = (BookingId([1; 16]), BookingId([2; 16]));
        let codes = TicketCodes::new(&[7; 32]);
        assert_eq!(codes.code(a), TicketCodes::new(&[7; 32]).code(a));
        assert_ne!(codes.code(a), codes.code(b));
        assert_ne!(codes.code(a), TicketCodes::new(&[8; 32]).code(a));
        let code = codes.code(a);
        assert_eq!((code.len(), code.as_bytes()[5]), (11, b'-'));
        assert!(code.bytes().all(|letter| letter == b'-' || ALPHABET.contains(&letter)));
    }
}
