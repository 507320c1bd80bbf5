//! An issuer's keys, as a JWKS file has them (RFC 7517).

use ampoule_units::text;

use crate::jwt::algorithm::TokenAlgorithm;
use crate::jwt::compact::decode;
use crate::jwt::header::is_key_name;
use crate::jwt::strict_json::{self, Json, Object};
use crate::jwt::verifying_key::VerifyingKey;
use crate::token_fault::TokenFault;

/// Keys of one file: an issuer has two or three.
const MAX_KEYS: usize = 64;
/// Members that only a private or a secret key has (RFC 7518, section 6).
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Keys of one algorithm.
#[derive(Clone, Debug)]
pub(super) struct KeySet(Vec<(Option<String>, VerifyingKey)>);

impl KeySet {
    /// Makes a set of one key, whose name does not matter.
    pub(super) fn of_one(key: VerifyingKey) -> Self {
        Self(vec![(None, key)])
    }

    /// Reads the keys of an algorithm. Keys of other types, for other algorithms or for encryption are passed over, as
    /// issuers keep them in one file.
    ///
    /// # Errors
    ///
    /// A sentence about a file that is no set of keys in strict JSON, has a private or a shared key, two keys of one name,
    /// or a key of the algorithm that is damaged or weak.
    pub(super) fn read(text: &str, algorithm: TokenAlgorithm) -> Result<Self, String> {
        let set = strict_json::parse(text.as_bytes()).and_then(Json::object);
        let keys = set.as_ref().and_then(|set| set.get("keys")?.list());
        let keys = keys.ok_or(
            "expected a set of keys, {\"keys\": [...]}, in JSON without a name that stands twice in an object",
        )?;
        if keys.len() > MAX_KEYS {
            return Err(format!(
                "expected at most {MAX_KEYS} keys, found {}",
                keys.len()
            ));
        }
        let mut set: Vec<(Option<String>, VerifyingKey)> = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let about = |fault: &str| format!("key {}: {fault}", place + 1);
            let Json::Object(key) = key else {
                return Err(about("expected an object"));
            };
            if let Some(name) = PRIVATE.iter().find(|name| key.get(name).is_some()) {
                return Err(about(&format!(
                    "expected a public key, found the member `{name}` of a private or shared one; take the file of \
                     public keys, and count this key as known to others"
                )));
            }
            if !is_meant(key, algorithm).map_err(about)? {
                continue;
            }
            let name = match key.get("kid") {
                None => None,
                Some(Json::Text(name)) if is_key_name(name) => Some(name.clone()),
                Some(_) => {
                    return Err(about(
                        "expected `kid` to be a text of 1 to 128 printable characters of ASCII",
                    ));
                }
            };
            if set.iter().any(|(other, _)| *other == name) {
                let name = name.as_deref().map_or("no name".to_owned(), text::name);
                return Err(about(&format!("another key has the same `kid`, {name:?}")));
            }
            let read = verifying(key, algorithm).ok_or_else(|| {
                about(&format!(
                    "its numbers are no key of {algorithm}, or a weak one"
                ))
            })?;
            set.push((name, read));
        }
        Ok(Self(set))
    }

    /// Tells whether no token can be checked by the set.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key that a token names, or the only one where it names none.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Key`].
    pub(super) fn find(&self, name: Option<&str>) -> Result<&VerifyingKey, TokenFault> {
        let found = match (name, self.0.as_slice()) {
            (None, [(_, only)]) => Some(only),
            (None, _) => None,
            (Some(name), keys) => {
                let mut keys = keys.iter();
                let found = keys.find(|(known, _)| known.as_deref() == Some(name));
                found.map(|(_, key)| key)
            }
        };
        found.ok_or(TokenFault::Key)
    }
}

/// Tells whether a key is for signatures by an algorithm.
fn is_meant(key: &Object, algorithm: TokenAlgorithm) -> Result<bool, &'static str> {
    let text = |name: &str, wrong| match key.get(name) {
        None => Ok(None),
        Some(value) => value.text().map(Some).ok_or(wrong),
    };
    let kind = text("kty", "expected `kty` to be a text")?.ok_or("expected the member `kty`")?;
    let usage = text("use", "expected `use` to be a text")?;
    let by = text("alg", "expected `alg` to be a text")?;
    let curve = text("crv", "expected `crv` to be a text")?;
    let operations = match key.get("key_ops") {
        None => None,
        Some(Json::List(_)) => {
            let operations = key.get("key_ops").and_then(Json::texts);
            Some(operations.ok_or("expected `key_ops` to be a list of texts")?)
        }
        Some(_) => return Err("expected `key_ops` to be a list of texts"),
    };
    let is_kind = match algorithm {
        TokenAlgorithm::EdDsa => kind == "OKP" && curve == Some("Ed25519"),
        TokenAlgorithm::Es256 => kind == "EC" && curve == Some("P-256"),
        TokenAlgorithm::Rs256 => kind == "RSA",
        TokenAlgorithm::Hs256 => false,
    };
    Ok(is_kind
        && usage.is_none_or(|usage| usage == "sig")
        && by.is_none_or(|by| algorithm.is_named(by))
        && operations.is_none_or(|operations| operations.contains(&"verify")))
}

fn verifying(key: &Object, algorithm: TokenAlgorithm) -> Option<VerifyingKey> {
    let number = |name: &str| decode(key.get(name)?.text()?.as_bytes());
    match algorithm {
        TokenAlgorithm::EdDsa => VerifyingKey::ed25519(&number("x")?),
        TokenAlgorithm::Es256 => VerifyingKey::p256(&number("x")?, &number("y")?),
        TokenAlgorithm::Rs256 => VerifyingKey::rsa(number("n")?, number("e")?),
        TokenAlgorithm::Hs256 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of RFC 8037, appendix A.2, with further members.
    fn key(members: &str) -> String {
        format!(
            r#"{{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"{members}}}"#
        )
    }

    fn read(keys: &[String]) -> Result<usize, String> {
        let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        KeySet::read(&text, TokenAlgorithm::EdDsa).map(|set| set.0.len())
    }

    #[test]
    fn keys_are_found_by_their_names_and_an_only_one_without() {
        let text = format!(
            r#"{{"keys":[{}],"more":1}}"#,
            key(r#","kid":"a","use":"sig""#)
        );
        let one = KeySet::read(&text, TokenAlgorithm::EdDsa).unwrap();
        assert!(one.find(Some("a")).is_ok() && one.find(None).is_ok());
        for name in ["b", "A", "a ", ""] {
            assert!(one.find(Some(name)).is_err(), "{name:?}");
        }
        let text = format!(r#"{{"keys":[{},{}]}}"#, key(r#","kid":"a""#), key(""));
        let two = KeySet::read(&text, TokenAlgorithm::EdDsa).unwrap();
        assert!(two.find(Some("a")).is_ok() && two.find(None).is_err());
    }

    #[test]
    fn keys_for_something_else_are_passed_over() {
        let rsa = r#"{"kty":"RSA","n":"AQ","e":"AQAB","use":"enc","alg":"RSA-OAEP"}"#.to_owned();
        let others = [
            rsa,
            key(r#","use":"enc""#),
            key(r#","alg":"ES256""#),
            key(r#","key_ops":["deriveBits"]"#),
            r#"{"kty":"OKP","crv":"X25519","x":"11qY"}"#.to_owned(),
        ];
        let mut all = others.to_vec();
        all.push(key(r#","alg":"EdDSA","key_ops":["verify"]"#));
        assert_eq!(read(&all), Ok(1));
        assert_eq!((read(&others), read(&[])), (Ok(0), Ok(0)));
    }

    #[test]
    fn private_shared_doubled_damaged_and_weak_keys_are_refused() {
        let x = r#"{"kty":"OKP","crv":"Ed25519","x":"#;
        for (keys, expected) in [
            (vec![key(r#","d":"AQ""#)], "the member `d`"),
            (
                vec![r#"{"kty":"oct","k":"AQ"}"#.to_owned()],
                "the member `k`",
            ),
            (
                vec![key(r#","kid":"a""#), key(r#","kid":"a""#)],
                "same `kid`",
            ),
            (vec![key(""), key("")], "same `kid`"),
            (vec![key(r#","kid":"""#)], "`kid`"),
            (vec![key(r#","kid":7"#)], "`kid`"),
            (vec![key(r#","use":7"#)], "`use`"),
            (vec![key(r#","key_ops":"verify""#)], "`key_ops`"),
            (vec![key(r#","x":"AQ""#)], "a set of keys"),
            (vec![format!(r#"{x}"AQ"}}"#)], "no key of EdDSA"),
            (vec![format!(r#"{x}7}}"#)], "no key of EdDSA"),
            (
                vec![format!(r#"{x}"{}"}}"#, "A".repeat(43))],
                "or a weak one",
            ),
            (vec!["7".to_owned()], "an object"),
            (vec!["{}".to_owned()], "`kty`"),
            (vec![key(r#","kid":"a""#); 65], "at most 64"),
        ] {
            let refused = read(&keys).unwrap_err();
            assert!(refused.contains(expected), "{expected}: {refused}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::read(text, TokenAlgorithm::Rs256).is_err(), "{text}");
        }
    }
}
