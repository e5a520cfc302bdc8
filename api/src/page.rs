//! Pages of lists: limits, opaque cursors, and the link to the next page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use http::header::HeaderValue;

use crate::extract::QueryFields;
use crate::problem::{ErrorCode, Problem};

/// Longest cursor that is looked at, in characters.
pub const CURSOR_CHARS: usize = 200;

/// Longest cursor with a text in it that is looked at, in characters.
pub const LONG_CURSOR_CHARS: usize = 2_000;

/// Most entries that may be skipped without a cursor.
pub const SKIP_MAX: usize = 1_000_000;

/// A place in a list, written so that clients cannot read meaning into it.
#[must_use]
pub fn encode_cursor(place: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// The place that a cursor of `N` bytes names, or `None` without a cursor.
///
/// # Errors
/// 400 if the cursor is not one of ours.
pub fn cursor<const N: usize>(query: &QueryFields) -> Result<Option<[u8; N]>, Problem> {
    let Some(text) = query.text("cursor") else { return Ok(None) };
    let wrong = || Problem::new(ErrorCode::InvalidQuery, "The cursor is not one of ours.");
    if text.len() > CURSOR_CHARS {
        return Err(wrong());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    bytes.try_into().map(Some).map_err(|_| wrong())
}

/// The bytes of a cursor, or `None` without one. What is in it is the caller's to check.
///
/// # Errors
/// 400 if it cannot be read.
pub fn bounded_cursor(query: &QueryFields) -> Result<Option<Vec<u8>>, Problem> {
    let Some(text) = query.text("cursor") else { return Ok(None) };
    let wrong = || Problem::new(ErrorCode::InvalidQuery, "The cursor is not one of ours.");
    if text.len() > LONG_CURSOR_CHARS {
        return Err(wrong());
    }
    URL_SAFE_NO_PAD.decode(text).map(Some).map_err(|_| wrong())
}

/// The `limit` of a query, at most `most`.
#[must_use]
pub fn limit(query: &mut QueryFields, default: usize, most: usize) -> usize {
    query.number("limit", 1, most).unwrap_or(default)
}

/// The `skip` of a query, at most [`SKIP_MAX`].
#[must_use]
pub fn skip(query: &mut QueryFields) -> usize {
    query.number("skip", 0, SKIP_MAX).unwrap_or(0)
}

/// `Link` to the next page: this address with one parameter replaced.
#[must_use]
pub fn next_link(uri: &Uri, parameter: &str, value: &str) -> Option<HeaderValue> {
    let mut link = format!("<{}?", uri.path());
    for pair in uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or("");
        // A query may hold these in the raw; inside the brackets they would end the link.
        if name != parameter && !pair.contains(['<', '>', '"']) {
            link.push_str(pair);
            link.push('&');
        }
    }
    link.push_str(&format!("{parameter}={value}>; rel=\"next\""));
    HeaderValue::from_str(&link).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> QueryFields {
        QueryFields::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let place = [1u8, 2, 255, 0];
        let text = encode_cursor(&place);
        assert_eq!(cursor::<4>(&query(&format!("/x?cursor={text}"))).unwrap(), Some(place));
        assert_eq!(cursor::<4>(&query("/x")).unwrap(), None);
        for wrong in ["!", "AA", &text[1..], &"A".repeat(CURSOR_CHARS + 1)] {
            let read = cursor::<4>(&query(&format!("/x?cursor={wrong}")));
            assert_eq!(read.unwrap_err().code().status(), 400, "{wrong}");
        }
    }

    #[test]
    fn the_next_link_keeps_the_other_parameters() {
        let link = |uri: &str| next_link(&uri.parse().unwrap(), "cursor", "abc").unwrap();
        assert_eq!(link("/bookings"), "</bookings?cursor=abc>; rel=\"next\"");
        assert_eq!(
            link("/bookings?status=confirmed&cursor=old&limit=5"),
            "</bookings?status=confirmed&limit=5&cursor=abc>; rel=\"next\""
        );
    }

    #[test]
    fn limits_have_defaults_and_bounds() {
        let mut q = query("/x?limit=7");
        assert_eq!(limit(&mut q, 50, 100), 7);
        let mut q = query("/x?limit=101");
        assert_eq!(limit(&mut q, 50, 100), 50);
        assert_eq!(q.finish().unwrap_err().code(), ErrorCode::ValidationFailed);
        assert_eq!(skip(&mut query("/x")), 0);
    }
}
