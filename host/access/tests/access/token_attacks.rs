//! Attacks on readers of tokens, by name. The tests of the server send them, too.

use ampoule_access::{TokenAlgorithm, TokenFault};
use ring::signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256};
use serde_json::{Value, json};

use super::issuers::{ISSUERS, Issuer, Signer, by_secret, encode, now, rsa, signed_by};

/// A token that nobody may accept.
pub(crate) struct Attack {
    pub(crate) name: String,
    pub(crate) token: String,
    /// The fault that the token has. It would be accepted without that one.
    pub(crate) fault: TokenFault,
}

/// Attacks on one issuer's tokens.
struct Table<'a> {
    issuer: &'a Issuer,
    attacks: Vec<Attack>,
}

/// Returns every attack on every algorithm.
pub(crate) fn all() -> Vec<Attack> {
    let mut all = Vec::new();
    for issuer in ISSUERS.iter() {
        let mut table = Table {
            issuer,
            attacks: Vec::new(),
        };
        table.on_algorithms();
        table.on_headers();
        table.on_keys();
        table.on_forms();
        table.on_signatures();
        table.on_claims();
        table.on_times();
        table.on_json();
        all.extend(table.attacks);
    }
    all
}

impl Table<'_> {
    fn add(&mut self, name: impl AsRef<str>, token: String, fault: TokenFault) {
        let name = format!("{}: {}", self.issuer.algorithm, name.as_ref());
        self.attacks.push(Attack { name, token, fault });
    }

    /// Adds a token whose header has this member, rightly signed.
    fn header(&mut self, name: impl AsRef<str>, member: &str, value: Value, fault: TokenFault) {
        let mut header = self.issuer.header();
        header[member] = value;
        self.raw_header(name, header.to_string(), fault);
    }

    fn raw_header(&mut self, name: impl AsRef<str>, header: impl AsRef<[u8]>, fault: TokenFault) {
        let claims = self.issuer.claims().to_string();
        self.add(name, self.issuer.token(header, claims), fault);
    }

    /// Adds a token with this claim, rightly signed.
    fn claim(&mut self, name: impl AsRef<str>, claim: &str, value: Value, fault: TokenFault) {
        let mut claims = self.issuer.claims();
        claims[claim] = value;
        self.raw_claims(name, claims.to_string(), fault);
    }

    fn raw_claims(&mut self, name: impl AsRef<str>, claims: impl AsRef<[u8]>, fault: TokenFault) {
        let header = self.issuer.header().to_string();
        self.add(name, self.issuer.token(header, claims), fault);
    }

    /// Adds a token with another signature.
    fn signature(
        &mut self,
        name: impl AsRef<str>,
        fault: TokenFault,
        sign: impl Fn(&[u8], Vec<u8>) -> Vec<u8>,
    ) {
        let good = self.issuer.good();
        let (signed, _) = good.rsplit_once('.').unwrap();
        let right = self.issuer.signer.sign(signed.as_bytes());
        let signature = sign(signed.as_bytes(), right);
        self.add(name, format!("{signed}.{}", encode(signature)), fault);
    }

    fn on_algorithms(&mut self) {
        let claims = encode(self.issuer.claims().to_string());
        for none in ["none", "None", "NONE", "nOnE"] {
            let mut header = self.issuer.header();
            header["alg"] = none.into();
            let header = encode(header.to_string());
            self.add(
                format!("{none} without a signature"),
                format!("{header}.{claims}."),
                TokenFault::Form,
            );
            self.header(
                format!("{none} with the right signature"),
                "alg",
                none.into(),
                TokenFault::Algorithm,
            );
        }
        let others = [
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "ES256",
            "ES256K", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448", "RS1", "RSA-OAEP", "dir", "",
        ];
        for other in others {
            if other.parse() != Ok(self.issuer.algorithm) {
                let name = format!("the algorithm {other:?}");
                self.header(name, "alg", other.into(), TokenFault::Algorithm);
            }
        }
        let name = self.issuer.algorithm.name();
        for (what, value) in [
            ("in small letters", name.to_lowercase()),
            ("with a blank", format!("{name} ")),
            ("with a zero byte", format!("{name}\0")),
            ("twice in one text", format!("{name},{name}")),
        ] {
            let what = format!("the algorithm {what}");
            let fault = TokenFault::Algorithm;
            if value != name {
                self.header(what, "alg", value.into(), fault);
            }
        }
        for (what, value) in [
            ("null", Value::Null),
            ("a number", json!(0)),
            ("a list", json!([name])),
            ("an object", json!({"name": name})),
        ] {
            let what = format!("the algorithm as {what}");
            self.header(what, "alg", value, TokenFault::Header);
        }
        // A verifier that lets the token choose takes the public key for a shared secret.
        for (place, secret) in self.issuer.signer.public_texts().into_iter().enumerate() {
            let mut header = self.issuer.header();
            header["alg"] = "HS256".into();
            let signer = Signer::Hs(secret);
            let claims = self.issuer.claims().to_string();
            let token = signed_by(&signer, header.to_string(), claims);
            let name = format!("HS256 with the public key as a secret, spelling {place}");
            self.add(name, token, TokenFault::Algorithm);
        }
        for other in ISSUERS.iter() {
            if other.algorithm != self.issuer.algorithm {
                let claims = self.issuer.claims().to_string();
                let name = format!("everything right of {}, but the issuer", other.algorithm);
                let token = other.token(other.header().to_string(), claims);
                self.add(name, token, TokenFault::Algorithm);
            }
        }
    }

    fn on_headers(&mut self) {
        let header = self.issuer.header().to_string();
        let stranger = self.issuer.stranger.jwk();
        let url = "https://attacker.example/keys";
        for (member, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!(["b64"])),
            ("crit", json!("exp")),
            ("b64", json!(false)),
            ("b64", json!(true)),
            ("jwk", json!({"kty": "oct", "k": "AQ"})),
            ("jku", json!(url)),
            ("x5u", json!(url)),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!(7)),
            ("zip", json!("DEF")),
            ("enc", json!("A128GCM")),
            ("cty", json!("JWT")),
            ("iss", json!("https://attacker.example")),
            ("Alg", json!("none")),
            ("typ", json!("JWE")),
            ("typ", json!("logout+jwt")),
            ("typ", json!("dpop+jwt")),
            ("typ", json!("")),
            ("typ", json!(7)),
            ("typ", Value::Null),
        ] {
            let name = format!("the header's member {member}: {value}");
            self.header(name, member, value, TokenFault::Header);
        }
        if let Some(jwk) = stranger {
            let mut header = self.issuer.header();
            header["jwk"] = jwk;
            let claims = self.issuer.claims().to_string();
            let token = signed_by(&self.issuer.stranger, header.to_string(), claims);
            self.add("signed by the key in its header", token, TokenFault::Header);
        }
        let doubled = |member: &str, value: &str| {
            let first = header.strip_prefix('{').unwrap();
            format!("{{\"{member}\":{value},{first}")
        };
        for (name, text) in [
            ("the algorithm twice", doubled("alg", "\"none\"")),
            (
                "the algorithm twice, once escaped",
                doubled("\\u0061lg", "\"none\""),
            ),
            ("the key's name twice", doubled("kid", "\"other\"")),
            ("the type twice", doubled("typ", "\"JWT\"")),
            ("no header", "{}".to_owned()),
            ("a header in a list", format!("[{header}]")),
            ("a header in a text", json!(header).to_string()),
            ("null for a header", "null".to_owned()),
            (
                "a header with a byte order mark",
                format!("\u{feff}{header}"),
            ),
            ("something behind the header", format!("{header}{header}")),
            (
                "a header that is cut",
                header[..header.len() - 1].to_owned(),
            ),
            ("a header of nested lists", "[".repeat(3_000)),
        ] {
            self.raw_header(name, text, TokenFault::Header);
        }
        let mut latin = header.clone().into_bytes();
        let place = latin.len() - 3;
        latin[place] = 0xff;
        self.raw_header("a header that is no UTF-8", latin, TokenFault::Header);
        let wide: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.raw_header("a header in UTF-16", wide, TokenFault::Header);
    }

    fn on_keys(&mut self) {
        for (name, value, fault) in [
            ("empty", json!(""), TokenFault::Header),
            ("129 bytes long", json!("k".repeat(129)), TokenFault::Header),
            ("with a line end", json!("a\nb"), TokenFault::Header),
            ("with a zero byte", json!("a\0"), TokenFault::Header),
            ("a number", json!(1), TokenFault::Header),
            ("a list", json!(["a"]), TokenFault::Header),
            ("null", Value::Null, TokenFault::Header),
        ] {
            self.header(format!("a key's name that is {name}"), "kid", value, fault);
        }
        let is_shared = self.issuer.algorithm == TokenAlgorithm::Hs256;
        let names = [
            "../../../../dev/null",
            "/proc/sys/kernel/randomize_va_space",
            "x' UNION SELECT 'secret' -- ",
            "| sleep 10",
            "http://attacker.example/key",
            "{{7*7}}",
            "EDDSA-1",
        ];
        for name in names {
            let mut header = self.issuer.header();
            header["kid"] = name.into();
            let claims = self.issuer.claims().to_string();
            // The content of such a file, or of a row that a query makes.
            for (what, secret) in [("nothing", &b""[..]), ("2", b"2\n"), ("a word", b"secret")] {
                if is_shared {
                    let signer = Signer::Hs(secret.to_vec());
                    let token = signed_by(&signer, header.to_string(), &claims);
                    let what = format!("the key's name {name:?} and {what} as the secret");
                    self.add(what, token, TokenFault::Signature);
                }
            }
            if !is_shared {
                let token = self.issuer.token(header.to_string(), &claims);
                self.add(format!("the key's name {name:?}"), token, TokenFault::Key);
            }
        }
        if !is_shared {
            for other in ISSUERS
                .iter()
                .filter(|other| other.algorithm != self.issuer.algorithm)
            {
                let name = format!("the key's name of {}", other.algorithm);
                self.header(name, "kid", other.key_name().into(), TokenFault::Key);
            }
        }
        let header = self.issuer.header().to_string();
        let claims = self.issuer.claims().to_string();
        let token = signed_by(&self.issuer.stranger, header, claims);
        self.add("signed by another key", token, TokenFault::Signature);
    }

    fn on_forms(&mut self) {
        let good = self.issuer.good();
        let parts: Vec<_> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            unreachable!("a token has three parts")
        };
        let standard = |part: &str| part.replace('-', "+").replace('_', "/");
        let json = json!({"payload": claims, "protected": header, "signature": signature});
        for (name, token) in [
            ("no signature", format!("{header}.{claims}")),
            ("an empty signature", format!("{header}.{claims}.")),
            ("an empty header", format!(".{claims}.{signature}")),
            ("empty claims", format!("{header}..{signature}")),
            ("dots alone", "..".to_owned()),
            ("a fourth part", format!("{good}.{signature}")),
            ("a dot at the end", format!("{good}.")),
            (
                "five parts, as encrypted tokens have",
                format!("{header}.{claims}.{signature}.AA.AA"),
            ),
            (
                "padding behind the header",
                format!("{header}=.{claims}.{signature}"),
            ),
            ("padding behind the signature", format!("{good}==")),
            (
                "a blank in the claims",
                format!("{header}.{claims} .{signature}"),
            ),
            ("a line end behind the signature", format!("{good}\n")),
            (
                "a zero byte in the claims",
                format!("{header}.{claims}\0.{signature}"),
            ),
            ("a token in JSON", json.to_string()),
            ("nothing", String::new()),
        ] {
            self.add(name, token, TokenFault::Form);
        }
        if standard(signature) != signature {
            let token = format!("{header}.{claims}.{}", standard(signature));
            self.add("a signature in plain base64", token, TokenFault::Form);
        }
        let text = "x".repeat(8 * 1024);
        let large = self.issuer.with(&json!({"more": text}));
        self.add("over eight KiB", large, TokenFault::Form);
    }

    fn on_signatures(&mut self) {
        let wrong = TokenFault::Signature;
        let flipped = |place: usize| {
            move |_: &[u8], mut signature: Vec<u8>| {
                let place = place.min(signature.len() - 1);
                signature[place] ^= 1;
                signature
            }
        };
        self.signature("the first byte's lowest bit", wrong, flipped(0));
        self.signature("the last byte's lowest bit", wrong, flipped(usize::MAX));
        self.signature("a byte less", wrong, |_, mut signature| {
            signature.pop();
            signature
        });
        self.signature("a byte more", wrong, |_, mut signature| {
            signature.push(0);
            signature
        });
        self.signature("a zero before it", wrong, |_, mut signature| {
            signature.insert(0, 0);
            signature
        });
        self.signature("its first byte alone", wrong, |_, signature| {
            signature[..1].to_vec()
        });
        self.signature("twice", wrong, |_, signature| signature.repeat(2));
        // Both numbers of zero verified in Java's own ECDSA (CVE-2022-21449).
        self.signature("zeros", wrong, |_, signature| vec![0; signature.len()]);
        self.signature("ones", wrong, |_, signature| vec![0xff; signature.len()]);
        self.signature("that of no message", wrong, |_, _| {
            self_signer(self.issuer).sign(b"")
        });
        self.signature("that of the claims alone", wrong, |signed, _| {
            let place = signed.iter().position(|byte| *byte == b'.').unwrap();
            self_signer(self.issuer).sign(&signed[place + 1..])
        });
        let good = self.issuer.good();
        let other = self.issuer.with(&json!({"sub": "root"}));
        let (signed, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = good.rsplit_once('.').unwrap();
        let token = format!("{signed}.{signature}");
        self.add("the signature of other claims", token, wrong);
        if let Some(spelling) = other_spelling(&good) {
            let name = "bits behind the signature's last byte";
            self.add(name, spelling, TokenFault::Form);
        }
        match &self.issuer.signer {
            Signer::Ed(_) => {
                // s + L signs as s does where nobody looks whether it is below L.
                self.signature("s + L", wrong, |_, mut signature| {
                    add_order(&mut signature[32..]);
                    signature
                });
            }
            Signer::Es(_) => {
                self.signature("in DER", wrong, |_, signature| der(&signature));
                self.signature("r alone", wrong, |_, mut signature| {
                    signature[32..].fill(0);
                    signature
                });
            }
            Signer::Rs(key) => {
                self.signature("with PSS", wrong, |signed, _| {
                    rsa(key, &RSA_PSS_SHA256, signed)
                });
                self.signature("with SHA-512", wrong, |signed, _| {
                    rsa(key, &RSA_PKCS1_SHA512, signed)
                });
                self.signature("the number one", wrong, |_, mut signature| {
                    signature.fill(0);
                    *signature.last_mut().unwrap() = 1;
                    signature
                });
            }
            Signer::Hs(_) => {
                for (name, secret) in [
                    ("an empty secret", &b""[..]),
                    ("the secret `secret`", b"secret"),
                    ("a zero byte as the secret", b"\0"),
                ] {
                    self.signature(name, wrong, |signed, _| by_secret(secret, signed));
                }
                self.signature("its first half", wrong, |_, signature| {
                    signature[..16].to_vec()
                });
            }
        }
    }

    fn on_claims(&mut self) {
        for claim in ["iss", "aud", "exp", "iat", "sub"] {
            let mut claims = self.issuer.claims();
            claims.as_object_mut().unwrap().remove(claim);
            let name = format!("no claim {claim}");
            self.raw_claims(name, claims.to_string(), TokenFault::Claims);
            for value in [Value::Null, json!(true), json!({}), json!([7])] {
                let name = format!("the claim {claim}: {value}");
                self.claim(name, claim, value, TokenFault::Claims);
            }
        }
        let issuer = self.issuer.name();
        for value in [
            format!("{issuer}/"),
            issuer.to_uppercase(),
            format!("{issuer}\0"),
            format!(" {issuer}"),
            "https://attacker.example".to_owned(),
            String::new(),
        ] {
            let name = format!("the issuer {value:?}");
            self.claim(name, "iss", value.into(), TokenFault::Issuer);
        }
        let name = "the issuer in a list";
        self.claim(name, "iss", json!([issuer]), TokenFault::Claims);
        for other in ISSUERS.iter() {
            if other.algorithm != self.issuer.algorithm {
                let name = format!("the issuer of {}", other.algorithm);
                self.claim(name, "iss", other.name().into(), TokenFault::Algorithm);
            }
        }
        for value in [
            json!("other"),
            json!(""),
            json!("ampoul"),
            json!("ampoule2"),
            json!("AMPOULE"),
            json!("ampoule "),
            json!("*"),
            json!(["other", "another"]),
            json!([]),
        ] {
            let name = format!("the audience {value}");
            self.claim(name, "aud", value, TokenFault::Audience);
        }
        for value in [
            json!(["ampoule", 7]),
            json!([["ampoule"]]),
            json!({"ampoule": 1}),
        ] {
            let name = format!("the audience {value}");
            self.claim(name, "aud", value, TokenFault::Claims);
        }
        self.claim("an empty subject", "sub", json!(""), TokenFault::Claims);
    }

    fn on_times(&mut self) {
        let now = now();
        let wrong = TokenFault::Claims;
        for claim in ["exp", "iat", "nbf"] {
            for value in [
                json!((now + 600).to_string()),
                json!(format!("{}s", now + 600)),
                json!("2099-01-01T00:00:00Z"),
                json!(-1),
                json!(-1e300),
                json!(1e300),
                json!(u64::MAX),
                json!([now]),
                Value::Null,
            ] {
                let name = format!("the time {claim}: {value}");
                self.claim(name, claim, value, wrong);
            }
        }
        for (name, further, fault) in [
            (
                "over since a minute",
                json!({"iat": now - 600, "exp": now - 60}),
                TokenFault::Expired,
            ),
            (
                "over since years",
                json!({"iat": 100, "exp": 200}),
                TokenFault::Expired,
            ),
            (
                "of the year 1970",
                json!({"iat": 0, "exp": 1}),
                TokenFault::Expired,
            ),
            (
                "issued in an hour",
                json!({"iat": now + 3_600, "exp": now + 4_000}),
                TokenFault::Early,
            ),
            (
                "not before an hour from now",
                json!({"nbf": now + 3_600}),
                TokenFault::Early,
            ),
            (
                "without an end",
                json!({"exp": 9_007_199_254_740_992_u64}),
                TokenFault::Lifetime,
            ),
            (
                "for a year",
                json!({"exp": now + 31_536_000}),
                TokenFault::Lifetime,
            ),
            (
                "that ends before it begins",
                json!({"exp": now + 5, "iat": now + 10}),
                TokenFault::Lifetime,
            ),
            (
                "that ends as it begins",
                json!({"exp": now, "iat": now}),
                TokenFault::Lifetime,
            ),
        ] {
            let token = self.issuer.with(&further);
            self.add(format!("a token {name}"), token, fault);
        }
    }

    fn on_json(&mut self) {
        let good = self.issuer.claims().to_string();
        let first = good.strip_prefix('{').unwrap();
        let doubled = |claim: &str, value: &str| format!("{{\"{claim}\":{value},{first}");
        for (name, text) in [
            ("the end twice", doubled("exp", "1")),
            (
                "the issuer twice",
                doubled("iss", "\"https://attacker.example\""),
            ),
            ("the audience twice", doubled("aud", "\"other\"")),
            ("the subject twice", doubled("sub", "\"root\"")),
            (
                "the subject twice, once escaped",
                doubled("s\\u0075b", "\"root\""),
            ),
            (
                "a name twice in an inner object",
                doubled("more", "{\"a\":1,\"a\":2}"),
            ),
            ("an end that is no number", doubled("exp2", "NaN")),
            ("an end without a bound", doubled("exp2", "1e999")),
            ("half of a surrogate pair", doubled("more", "\"\\ud800\"")),
            ("claims in a list", format!("[{good}]")),
            ("claims in a text", json!(good).to_string()),
            ("null for claims", "null".to_owned()),
            ("claims with a byte order mark", format!("\u{feff}{good}")),
            ("something behind the claims", format!("{good}{good}")),
            (
                "a comma too many",
                format!("{},}}", good.strip_suffix('}').unwrap()),
            ),
            ("a remark in the claims", format!("/**/{good}")),
            ("claims that are cut", good[..good.len() - 1].to_owned()),
            (
                "nested lists",
                format!("{{\"more\":{}{},{first}", "[".repeat(20), "]".repeat(20)),
            ),
            ("endless lists", format!("{{\"more\":{}", "[".repeat(5_000))),
            ("over 64 claims", {
                let more: String = (0..64).map(|n| format!("\"m{n}\":0,")).collect();
                format!("{{{more}{first}")
            }),
        ] {
            self.raw_claims(name, text, TokenFault::Claims);
        }
        let mut latin = good.clone().into_bytes();
        let place = good.find("ann").unwrap();
        latin[place] = 0xff;
        self.raw_claims("claims that are no UTF-8", latin, TokenFault::Claims);
    }
}

fn self_signer(issuer: &Issuer) -> &Signer {
    &issuer.signer
}

/// Returns the token with other bits behind the last byte of its signature, if there is room for such.
fn other_spelling(token: &str) -> Option<String> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (_, signature) = token.rsplit_once('.')?;
    let (start, last) = token.split_at(token.len() - 1);
    let place = DIGITS.find(last)?;
    (signature.len() % 4 != 0).then(|| format!("{start}{}", &DIGITS[place + 1..place + 2]))
}

/// Adds the order of Ed25519's group, little-endian. The sum has 32 bytes.
fn add_order(scalar: &mut [u8]) {
    let mut order = [0; 32];
    let low = 27_742_317_777_372_353_535_851_937_790_883_648_493_u128;
    order[..16].copy_from_slice(&low.to_le_bytes());
    order[31] = 0x10;
    let mut carry = 0;
    for (byte, part) in scalar.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(part) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// Writes a signature's two numbers as OpenSSL does.
fn der(signature: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| {
        let mut number = vec![2, 33, 0];
        number.extend_from_slice(bytes);
        number
    };
    let body = [number(&signature[..32]), number(&signature[32..])].concat();
    [vec![0x30, body.len() as u8], body].concat()
}
