//! Tokens: those that are accepted, and attacks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ampoule_access::{
    DenialKind, Given, IssuerKeys, IssuerSettings, KeySetFile, Permission, Principal,
    PrincipalKind, PublicAlgorithm, Reason, Role, TokenAlgorithm, TokenFault, TokenIssuer, Tokens,
};
use ampoule_signing::{PermissionPolicy, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::issuers::{AUDIENCE, ISSUERS, Issuer, now};
use crate::{desk, token_attacks};

/// Attacks that are at least tried.
const LEAST: usize = 80;
const SESSION: Duration = Duration::from_secs(2 * 60 * 60);

/// A server's tokens, and the folder of the files of keys.
struct Accepted {
    tokens: Tokens,
    dir: TempDir,
}

fn settings(issuer: &Issuer, dir: &Path) -> IssuerSettings {
    let path = dir.join(format!("{}.json", issuer.algorithm));
    let file = |algorithm| {
        fs::write(&path, issuer.key_set()).unwrap();
        IssuerKeys::File(KeySetFile {
            path: path.clone(),
            permissions: PermissionPolicy::default(),
            algorithm,
        })
    };
    IssuerSettings {
        issuer: issuer.name(),
        audience: AUDIENCE.to_owned(),
        keys: match issuer.algorithm {
            TokenAlgorithm::EdDsa => file(PublicAlgorithm::EdDsa),
            TokenAlgorithm::Es256 => file(PublicAlgorithm::Es256),
            TokenAlgorithm::Rs256 => file(PublicAlgorithm::Rs256),
            TokenAlgorithm::Hs256 => IssuerKeys::Shared(issuer.secret().parse().unwrap()),
        },
        role: Given::Always(Role::Infer),
        tenant: Given::Always("acme".parse().unwrap()),
        models_claim: None,
        roles: None,
        tenants: None,
    }
}

impl Accepted {
    fn all() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl Fn(&mut IssuerSettings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let open = |issuer: &Issuer| {
            let mut settings = settings(issuer, dir.path());
            change(&mut settings);
            TokenIssuer::open(settings).unwrap()
        };
        let tokens = Tokens::of(ISSUERS.iter().map(open).collect(), SESSION).unwrap();
        Self { tokens, dir }
    }

    fn check(&self, token: &str) -> Result<Principal, Reason> {
        let checked = self.tokens.check(token.as_bytes(), Timestamp::now());
        checked.map_err(|denial| denial.reason)
    }
}

fn ed() -> &'static Issuer {
    Issuer::of(TokenAlgorithm::EdDsa)
}

#[test]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
fn no_attack_is_accepted_and_all_look_alike_to_the_caller() {
    let accepted = Accepted::all();
    let attacks = token_attacks::all();
    let mut faults = Vec::new();
    for attack in &attacks {
        let reason = match accepted.check(&attack.token) {
            Ok(_) => "accepted",
            Err(reason) => {
                assert_eq!(reason.kind(), DenialKind::Invalid, "{}", attack.name);
                reason.code()
            }
        };
        if reason != attack.fault.code() {
            faults.push(format!(
                "{}: {reason} and not {}",
                attack.name,
                attack.fault.code()
            ));
        }
    }
    println!("{} attacks", attacks.len());
    assert!(faults.is_empty(), "{faults:#?}");
    for algorithm in TokenAlgorithm::ALL {
        let start = format!("{algorithm}: ");
        let of_this = attacks
            .iter()
            .filter(|attack| attack.name.starts_with(&start));
        assert!(of_this.count() >= LEAST, "{algorithm}");
    }
}

#[test]
fn a_token_of_each_algorithm_is_accepted_in_each_form_that_issuers_write() {
    let accepted = Accepted::all();
    for issuer in ISSUERS.iter() {
        let claims = issuer.claims().to_string();
        let with_header = |change: &dyn Fn(&mut Value)| {
            let mut header = issuer.header();
            change(&mut header);
            issuer.token(header.to_string(), &claims)
        };
        let remove = |member: &'static str| {
            with_header(&move |header| {
                header.as_object_mut().unwrap().remove(member);
            })
        };
        let now = now();
        let mut principals = Vec::new();
        for (name, token) in [
            ("as most have it", issuer.good()),
            ("without a type", remove("typ")),
            ("without a key's name", remove("kid")),
            (
                "of type at+jwt",
                with_header(&|header| header["typ"] = "at+jwt".into()),
            ),
            (
                "of type jwt",
                with_header(&|header| header["typ"] = "jwt".into()),
            ),
            (
                "with a thumbprint",
                with_header(&|header| header["x5t"] = "abc".into()),
            ),
            (
                "for many",
                issuer.with(&json!({"aud": ["other", AUDIENCE]})),
            ),
            ("from now on", issuer.with(&json!({"nbf": now}))),
            (
                "with parts of seconds",
                issuer.with(&json!({"exp": now as f64 + 60.5})),
            ),
            (
                "just over its time",
                issuer.with(&json!({"exp": now - 20, "iat": now - 600})),
            ),
            (
                "just before its time",
                issuer.with(&json!({"iat": now + 20, "nbf": now + 20})),
            ),
            (
                "for a whole session",
                issuer.with(&json!({"exp": now + SESSION.as_secs()})),
            ),
            (
                "with further claims",
                issuer.with(&json!({"scope": "a b", "more": {"roles": [1, null]}})),
            ),
        ] {
            let principal = accepted.check(&token);
            let principal = principal
                .unwrap_or_else(|reason| panic!("{} {name}: {reason:?}", issuer.algorithm));
            assert!(principal.may(Permission::Infer) && !principal.may(Permission::Metrics));
            assert_eq!(principal.tenant().unwrap().to_string(), "acme");
            principals.push(principal.kind());
        }
        // One caller, whose name nobody can read.
        principals.dedup();
        assert!(matches!(principals[..], [PrincipalKind::Token(_)]));
        let shown = format!("{principals:?}");
        assert!(!shown.contains("ann"), "{shown}");
    }
}

#[test]
fn callers_have_the_role_the_tenant_and_the_models_that_their_claims_name() {
    let accepted = Accepted::with(|settings| {
        settings.role = Given::Claim("https://ampoule.example/role".to_owned());
        settings.tenant = Given::Claim("tenant".to_owned());
        settings.models_claim = Some("models".to_owned());
    });
    let claims = |role: Value, tenant: Value, models: Value| {
        let all = json!({"https://ampoule.example/role": role, "tenant": tenant, "models": models});
        accepted.check(&ed().with(&all))
    };
    let (role, tenant, models) = (json!("infer"), json!("acme"), json!(["minilm", "tiny-*"]));
    let principal = claims(role.clone(), tenant.clone(), models.clone()).unwrap();
    assert_eq!(
        (
            principal.role(),
            principal.tenant().unwrap().to_string().as_str()
        ),
        (Role::Infer, "acme")
    );
    assert!(principal.may_see("minilm") && principal.may_see("tiny-vlm"));
    assert!(!principal.may_see("other") && principal.may_do("text-embedding"));
    let listed = json!(["admin-of-something-else", "metrics"]);
    let principal = claims(listed, tenant.clone(), json!("minilm")).unwrap();
    assert!(principal.may(Permission::Metrics) && !principal.may(Permission::Infer));
    assert!(principal.may_see("minilm") && !principal.may_see("tiny-vlm"));
    let none = claims(json!("infer"), tenant.clone(), json!([])).unwrap();
    assert!(!none.may_see("minilm"));

    let long: Vec<_> = (0..65).map(|n| format!("m{n}")).collect();
    for (role, tenant, models) in [
        (json!("root"), tenant.clone(), models.clone()),
        (json!("Admin"), tenant.clone(), models.clone()),
        (json!(""), tenant.clone(), models.clone()),
        (json!(["infer", "metrics"]), tenant.clone(), models.clone()),
        (json!([]), tenant.clone(), models.clone()),
        (json!(1), tenant.clone(), models.clone()),
        (Value::Null, tenant.clone(), models.clone()),
        (role.clone(), json!("Acme Inc"), models.clone()),
        (role.clone(), json!(["acme"]), models.clone()),
        (role.clone(), json!(""), models.clone()),
        (role.clone(), Value::Null, models.clone()),
        (role.clone(), tenant.clone(), json!("a b")),
        (role.clone(), tenant.clone(), json!(["a*b"])),
        (role.clone(), tenant.clone(), json!([1])),
        (role.clone(), tenant.clone(), json!({"minilm": true})),
        (role.clone(), tenant.clone(), json!(long)),
        (role.clone(), tenant.clone(), Value::Null),
    ] {
        let what = format!("{role} {tenant} {models}");
        let refused = claims(role, tenant, models).err();
        assert_eq!(refused, Some(Reason::Token(TokenFault::Rights)), "{what}");
    }
    // Without any of the claims.
    let refused = accepted.check(&ed().good()).err();
    assert_eq!(refused, Some(Reason::Token(TokenFault::Rights)));
}

#[test]
fn a_role_that_the_issuer_may_not_give_does_not_count() {
    let role_of = |roles: Option<&[Role]>, claim: Value| {
        let accepted = Accepted::with(|settings| {
            settings.role = Given::Claim("groups".to_owned());
            settings.roles = roles.map(<[Role]>::to_vec);
        });
        let checked = accepted.check(&ed().with(&json!({"groups": claim})));
        checked.map(|principal| principal.role())
    };
    let rights = Err(Reason::Token(TokenFault::Rights));
    // The word may be the name of any service's group, so `admin` is to be asked for.
    assert_eq!(role_of(None, json!(["staff", "admin"])), rights);
    assert_eq!(role_of(None, json!("admin")), rights);
    assert_eq!(role_of(None, json!(["infer", "admin"])), Ok(Role::Infer));
    assert_eq!(role_of(None, json!("metrics")), Ok(Role::Metrics));
    let some = Some(&[Role::Infer, Role::Admin][..]);
    assert_eq!(role_of(some, json!(["staff", "admin"])), Ok(Role::Admin));
    assert_eq!(role_of(some, json!("metrics")), rights);
    assert_eq!(role_of(some, json!(["infer", "admin"])), rights);
    assert_eq!(role_of(some, json!(["metrics", "infer"])), Ok(Role::Infer));
    assert_eq!(role_of(Some(&[]), json!("infer")), rights);
}

#[test]
fn a_tenant_that_the_issuer_may_not_name_is_refused() {
    let accepted = Accepted::with(|settings| {
        settings.tenant = Given::Claim("tenant".to_owned());
        settings.tenants = Some(vec!["acme".parse().unwrap(), "eu-*".parse().unwrap()]);
    });
    let tenant_of = |tenant: &str| {
        let checked = accepted.check(&ed().with(&json!({"tenant": tenant})));
        checked.map(|principal| principal.tenant().unwrap().to_string())
    };
    for tenant in ["acme", "eu-1", "eu-"] {
        assert_eq!(tenant_of(tenant).as_deref(), Ok(tenant));
    }
    for tenant in ["acme2", "other", "eu", "eu-*", "*"] {
        let refused = tenant_of(tenant).err();
        assert_eq!(refused, Some(Reason::Token(TokenFault::Rights)), "{tenant}");
    }
}

#[test]
fn bounds_of_claims_that_no_setting_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut roles = settings(ed(), dir.path());
    roles.roles = Some(vec![Role::Infer]);
    let mut tenants = settings(ed(), dir.path());
    tenants.tenants = Some(vec!["acme".parse().unwrap()]);
    for settings in [roles, tenants] {
        let refused = TokenIssuer::open(settings).unwrap_err();
        assert_eq!(refused.code(), "usage.token-settings");
        assert!(refused.to_string().contains("-claim"), "{refused}");
    }
}

#[test]
fn a_new_key_of_an_issuer_is_accepted_and_a_withdrawn_one_is_not_without_a_restart() {
    let accepted = Accepted::all();
    let issuer = ed();
    let file = accepted.dir.path().join("EdDSA.json");
    let mut key = issuer.stranger.jwk().unwrap();
    key["kid"] = "EdDSA-2".into();
    let mut header = issuer.header();
    header["kid"] = "EdDSA-2".into();
    let (header, claims) = (header.to_string(), issuer.claims().to_string());
    let new = crate::issuers::signed_by(&issuer.stranger, header, claims);
    assert_eq!(
        accepted.check(&new).err(),
        Some(Reason::Token(TokenFault::Key))
    );
    fs::write(&file, json!({"keys": [key]}).to_string()).unwrap();
    desk::wait_until("the new key", || accepted.check(&new).is_ok());
    assert!(accepted.tokens.fault().is_none());
    let old = issuer.good();
    assert_eq!(
        accepted.check(&old).err(),
        Some(Reason::Token(TokenFault::Key))
    );
    fs::write(&file, "{").unwrap();
    desk::wait_until("the fault", || accepted.tokens.fault().is_some());
    assert!(accepted.check(&new).is_ok());
}

#[test]
fn the_only_key_of_an_issuer_can_be_withdrawn() {
    let accepted = Accepted::all();
    let file = |issuer: &Issuer| {
        let name = format!("{}.json", issuer.algorithm);
        accepted.dir.path().join(name)
    };
    let rsa = Issuer::of(TokenAlgorithm::Rs256);
    let (es, others) = (Issuer::of(TokenAlgorithm::Es256), rsa.key_set());
    for (issuer, keys) in [(ed(), r#"{"keys":[]}"#), (es, &others)] {
        let token = issuer.good();
        assert!(accepted.check(&token).is_ok());
        fs::write(file(issuer), keys).unwrap();
        desk::wait_until("the withdrawal", || {
            accepted.check(&token).err() == Some(Reason::Token(TokenFault::Key))
        });
        let code = || accepted.tokens.fault().map(|fault| fault.code());
        desk::wait_until("the fault", || code() == Some("key.jwks-empty"));
        fs::write(file(issuer), issuer.key_set()).unwrap();
        desk::wait_until("the key again", || accepted.check(&token).is_ok());
        desk::wait_until("no fault", || code().is_none());
    }
    assert!(accepted.check(&rsa.good()).is_ok());
}

#[test]
fn both_names_of_ed25519_are_known_in_a_token_a_key_and_a_setting() {
    let accepted = Accepted::all();
    let file = accepted.dir.path().join("EdDSA.json");
    let mut header = ed().header();
    header["alg"] = "Ed25519".into();
    let token = ed().token(header.to_string(), ed().claims().to_string());
    assert!(accepted.check(&token).is_ok());
    for name in ["Ed25519", "EdDSA"] {
        let mut key = ed().signer.jwk().unwrap();
        (key["alg"], key["kid"]) = (name.into(), ed().key_name().into());
        fs::write(&file, json!({"keys": [key]}).to_string()).unwrap();
        let opened = TokenIssuer::open(IssuerSettings {
            keys: IssuerKeys::File(KeySetFile {
                path: file.clone(),
                permissions: PermissionPolicy::default(),
                algorithm: PublicAlgorithm::EdDsa,
            }),
            ..settings(ed(), accepted.dir.path())
        });
        assert!(opened.is_ok(), "{name}");
        assert_eq!(name.parse(), Ok(TokenAlgorithm::EdDsa));
    }
    assert!("Ed448".parse::<TokenAlgorithm>().is_err());
}

#[test]
fn an_issuer_has_one_entry_and_keys_of_its_own_algorithm() {
    let dir = tempfile::tempdir().unwrap();
    let open = |algorithm| TokenIssuer::open(settings(Issuer::of(algorithm), dir.path()));
    let twice = vec![
        open(TokenAlgorithm::EdDsa).unwrap(),
        open(TokenAlgorithm::EdDsa).unwrap(),
    ];
    let refused = Tokens::of(twice, SESSION).unwrap_err();
    assert_eq!(refused.code(), "usage.token-settings");
    let mut wrong = settings(Issuer::of(TokenAlgorithm::Es256), dir.path());
    if let IssuerKeys::File(file) = &mut wrong.keys {
        file.algorithm = PublicAlgorithm::Rs256;
    }
    let refused = TokenIssuer::open(wrong).unwrap_err();
    assert_eq!(refused.code(), "key.jwks-empty");
    let mut nameless = settings(ed(), dir.path());
    nameless.audience = String::new();
    let refused = TokenIssuer::open(nameless).unwrap_err();
    assert_eq!(refused.code(), "usage.token-settings");
}
