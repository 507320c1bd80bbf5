//! Any two texts as a token's header and claims, the first up to the first line end. They are signed here: no fuzzer finds
//! a signature. A token that is accepted says the same to a reader of JSON that is not strict, and is refused with another
//! signature. The bytes as they are make no token that is accepted.

use std::sync::LazyLock;
use std::time::Duration;

use ampoule_access::{
    DenialKind, Given, IssuerKeys, IssuerSettings, PrincipalKind, Role, SubjectHash, TokenIssuer,
    Tokens,
};
use ampoule_signing::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::Value;

const ISSUER: &str = "https://a.example";
const AUDIENCE: &str = "ampoule";
const SECRET: &str = "a secret of tests, 32 bytes long";
const SESSION: u32 = 3_600;
const LEEWAY: f64 = 30.0;
/// The time of every input: that of the corpus.
const NOW: i64 = 1_800_000_000;

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let issuer = TokenIssuer::open(IssuerSettings {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        keys: IssuerKeys::Shared(SECRET.parse().expect("a secret")),
        role: Given::Always(Role::Infer),
        roles: None,
        tenant: Given::Claim("tenant".to_owned()),
        tenants: None,
        models_claim: Some("models".to_owned()),
    });
    let session = Duration::from_secs(SESSION.into());
    Tokens::of(vec![issuer.expect("an issuer")], session).expect("tokens")
});

pub(super) fn check(bytes: &[u8]) {
    let now = Timestamp::from_second(NOW).expect("a time");
    let accept = |token: &[u8]| match TOKENS.check(token, now) {
        Ok(principal) => Some(principal),
        Err(denial) => {
            assert_eq!(denial.reason.kind(), DenialKind::Invalid);
            None
        }
    };
    assert!(accept(bytes).is_none(), "nobody signed these bytes");
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (header, claims) = bytes.split_at(end.unwrap_or(bytes.len()));
    let claims = claims.get(1..).unwrap_or_default();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let mut signature = hmac::sign(&key, signed.as_bytes()).as_ref().to_vec();
    let token = |signature: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Some(principal) = accept(token(&signature).as_bytes()) else {
        return;
    };
    signature[31] ^= 1;
    assert!(
        accept(token(&signature).as_bytes()).is_none(),
        "another signature"
    );

    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("JSON");
    let (header, claims) = (read(header), read(claims));
    let members = header.as_object().expect("an object");
    let known = ["alg", "typ", "kid", "x5t", "x5t#S256"];
    assert!(members.keys().all(|name| known.contains(&name.as_str())));
    assert_eq!(header["alg"], "HS256");
    assert_eq!(claims["iss"], ISSUER);
    let is_meant = |audience: &Value| *audience == AUDIENCE;
    let audiences = claims["aud"].as_array();
    assert!(is_meant(&claims["aud"]) || audiences.is_some_and(|list| list.iter().any(is_meant)));
    let time = |name: &str| claims[name].as_f64().expect("a number");
    let (end, issued, now) = (time("exp"), time("iat"), NOW as f64);
    assert!(issued >= 0.0 && end > issued && end - issued <= f64::from(SESSION));
    assert!(now < end + LEEWAY && issued <= now + LEEWAY);
    assert!(
        claims
            .get("nbf")
            .is_none_or(|_| time("nbf") <= now + LEEWAY)
    );
    let subject = claims["sub"].as_str().expect("a subject");
    assert!(!subject.is_empty());
    let expected = PrincipalKind::Token(SubjectHash::of(ISSUER, subject));
    assert_eq!(principal.kind(), expected);
    let tenant = principal.tenant().expect("a tenant").to_string();
    assert_eq!(claims["tenant"], tenant.as_str());
    let models = claims["models"].as_array();
    let is_none = models.is_some_and(Vec::is_empty);
    assert!(!is_none || !principal.may_see("any"), "a list of no models");
}
