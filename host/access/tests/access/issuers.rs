//! Issuers of tokens, with keys that are made for one run of the tests. The tests of the server take this file, too.

use std::process::Command;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use ampoule_access::TokenAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use ring::{hmac, signature};
use serde_json::{Value, json};

/// Audience of the tokens that are accepted.
pub(crate) const AUDIENCE: &str = "ampoule";

/// Key of an issuer.
pub(crate) enum Signer {
    Ed(Ed25519KeyPair),
    Es(Box<EcdsaKeyPair>),
    Rs(Box<RsaKeyPair>),
    Hs(Vec<u8>),
}

/// An issuer of tokens by one algorithm.
pub(crate) struct Issuer {
    pub(crate) algorithm: TokenAlgorithm,
    pub(crate) signer: Signer,
    /// A key of the same algorithm that nobody accepts.
    pub(crate) stranger: Signer,
}

/// One issuer an algorithm.
pub(crate) static ISSUERS: LazyLock<[Issuer; 4]> = LazyLock::new(|| {
    TokenAlgorithm::ALL.map(|algorithm| Issuer {
        algorithm,
        signer: Signer::generate(algorithm),
        stranger: Signer::generate(algorithm),
    })
});

impl Signer {
    fn generate(algorithm: TokenAlgorithm) -> Self {
        let random = SystemRandom::new();
        match algorithm {
            TokenAlgorithm::EdDsa => {
                let key = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
            }
            TokenAlgorithm::Es256 => {
                let way = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let key = EcdsaKeyPair::generate_pkcs8(way, &random).unwrap();
                let key = EcdsaKeyPair::from_pkcs8(way, key.as_ref(), &random);
                Self::Es(Box::new(key.unwrap()))
            }
            TokenAlgorithm::Rs256 => {
                // ring makes no keys of RSA.
                let made = Command::new("openssl")
                    .args(["genpkey", "-algorithm", "RSA"])
                    .args(["-pkeyopt", "rsa_keygen_bits:2048"])
                    .output()
                    .unwrap();
                let pem = String::from_utf8(made.stdout).unwrap();
                let lines = pem.lines().filter(|line| !line.starts_with("-----"));
                let key = STANDARD.decode(lines.collect::<String>()).unwrap();
                Self::Rs(Box::new(RsaKeyPair::from_pkcs8(&key).unwrap()))
            }
            TokenAlgorithm::Hs256 => {
                let mut secret = [0; 24];
                ring::rand::SecureRandom::fill(&random, &mut secret).unwrap();
                Self::Hs(URL_SAFE_NO_PAD.encode(secret).into_bytes())
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Es(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rs(key) => rsa(key, &RSA_PKCS1_SHA256, message),
            Self::Hs(secret) => by_secret(secret, message),
        }
    }

    /// Returns the public key in JWK; `None` for a secret.
    pub(crate) fn jwk(&self) -> Option<Value> {
        match self {
            Self::Ed(key) => Some(json!({
                "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()),
            })),
            Self::Es(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                Some(json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}))
            }
            Self::Rs(key) => {
                let public: PublicKeyComponents<Vec<u8>> = key.public().into();
                Some(json!({"kty": "RSA", "n": encode(public.n), "e": encode(public.e)}))
            }
            Self::Hs(_) => None,
        }
    }

    /// Returns the spellings of the public key that a verifier might have at hand as bytes.
    pub(crate) fn public_texts(&self) -> Vec<Vec<u8>> {
        let bytes = match self {
            Self::Ed(key) => key.public_key().as_ref().to_vec(),
            Self::Es(key) => key.public_key().as_ref().to_vec(),
            Self::Rs(key) => key.public().as_ref().to_vec(),
            Self::Hs(_) => return Vec::new(),
        };
        let jwk = self.jwk().unwrap();
        let first = jwk.get("n").or(jwk.get("x")).unwrap();
        let first = first.as_str().unwrap().as_bytes().to_vec();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(&bytes)
        );
        vec![bytes, first, jwk.to_string().into_bytes(), pem.into_bytes()]
    }
}

/// Signs by RSA with any padding.
pub(crate) fn rsa(
    key: &RsaKeyPair,
    padding: &'static dyn signature::RsaEncoding,
    message: &[u8],
) -> Vec<u8> {
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(padding, &random, message, &mut signature).unwrap();
    signature
}

pub(crate) fn by_secret(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

impl Issuer {
    pub(crate) fn of(algorithm: TokenAlgorithm) -> &'static Self {
        let mut issuers = ISSUERS.iter();
        issuers
            .find(|issuer| issuer.algorithm == algorithm)
            .unwrap()
    }

    pub(crate) fn name(&self) -> String {
        format!("https://{}.example", self.algorithm.name().to_lowercase())
    }

    /// Name of the key.
    pub(crate) fn key_name(&self) -> String {
        format!("{}-1", self.algorithm)
    }

    /// The content of the JWKS file.
    pub(crate) fn key_set(&self) -> String {
        let mut key = self.signer.jwk().unwrap();
        key["kid"] = self.key_name().into();
        key["use"] = "sig".into();
        json!({"keys": [key]}).to_string()
    }

    pub(crate) fn secret(&self) -> String {
        match &self.signer {
            Signer::Hs(secret) => String::from_utf8(secret.clone()).unwrap(),
            _ => String::new(),
        }
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "typ": "JWT", "kid": self.key_name()})
    }

    pub(crate) fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.name(), "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 600,
        })
    }

    /// Makes a token that is accepted.
    pub(crate) fn good(&self) -> String {
        self.token(self.header().to_string(), self.claims().to_string())
    }

    /// Makes a token with these further claims.
    pub(crate) fn with(&self, further: &Value) -> String {
        let mut claims = self.claims();
        for (name, value) in further.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.token(self.header().to_string(), claims.to_string())
    }

    /// Makes a token of any two texts, signed by the issuer.
    pub(crate) fn token(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        signed_by(&self.signer, header, claims)
    }
}

/// Makes a token of any two texts.
pub(crate) fn signed_by(
    signer: &Signer,
    header: impl AsRef<[u8]>,
    claims: impl AsRef<[u8]>,
) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = signer.sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}
