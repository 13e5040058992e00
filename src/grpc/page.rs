//! Page tokens: where the next page begins, bound to what is listed. Opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A token for the page that begins behind `key`, of the list that `list` describes.
pub fn token(list: &str, key: &str) -> String {
    URL_SAFE_NO_PAD.encode([seal(list, key).as_slice(), key.as_bytes()].concat())
}

/// The key in a token that was made for this very list; `None` if it is any other text.
pub fn key(list: &str, token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (given, key) = bytes.split_first_chunk::<8>()?;
    let key = std::str::from_utf8(key).ok()?;
    (*given == seal(list, key)).then(|| key.to_owned())
}

/// Tells a token of another list, or a damaged one. No secret: a token grants nothing that the list itself doesn't.
fn seal(list: &str, key: &str) -> [u8; 8] {
    let digest = Sha256::new().chain_update(list).chain_update([0]).chain_update(key).finalize();
    std::array::from_fn(|place| digest[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_bound_to_its_list() {
        let token = token("leads of anna", "3/lead-1");
        assert_eq!(key("leads of anna", &token).as_deref(), Some("3/lead-1"));
        assert_eq!(key("leads of ben", &token), None);
        for foreign in ["", "x", "AAAA", "\0", "AAAAAAAAAAAAAAAAAAAA", &format!("{token}A")] {
            assert_eq!(key("leads of anna", foreign), None, "{foreign:?}");
        }
    }
}
