//! The signed root: who may replace it, by what, and until when it is believed.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ampoule_signing::{
    ByteSize, Caps, Fuel, KeyId, PublicKey, ROOT_FILE, Result, Role, Root, SecretKey, SignedRoot,
    TRUST_FILE, Timestamp, TrustStore, VerifiedRoot,
};

use crate::fixture::{Fixture, is_refusal, snapshot};

pub(crate) const NOW: &str = "2027-06-01T00:00:00Z";
pub(crate) const LATER: &str = "2028-01-01T00:00:00Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn threshold(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn id(key: &SecretKey) -> KeyId {
    key.public_key().key_id()
}

pub(crate) fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}

/// Three people, two of whom sign a root, and the first root that they agreed on.
pub(crate) struct Fleet {
    pub(crate) ann: SecretKey,
    pub(crate) bob: SecretKey,
    pub(crate) eve: SecretKey,
    pub(crate) acme: SecretKey,
    pub(crate) first: Root,
    pub(crate) dir: tempfile::TempDir,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let [ann, bob, eve, acme] = std::array::from_fn(|_| key());
        let people = [&ann, &bob, &eve].map(|key| key.public_key().clone());
        let first = Root::new("fleet", people, threshold(2), time(LATER))
            .unwrap()
            .change_trust(|trust| trust.insert(acme.public_key().clone(), ["acme"]))
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self {
            ann,
            bob,
            eve,
            acme,
            first,
            dir,
        }
    }

    /// A first root that these keys may sign.
    pub(crate) fn root_of(keys: impl IntoIterator<Item = PublicKey>) -> Root {
        Root::new("fleet", keys, threshold(1), time(LATER)).unwrap()
    }

    /// One that has installed the first root.
    pub(crate) fn installed() -> Self {
        let fleet = Self::new();
        let first = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
        VerifiedRoot::install(&fleet.trust(), first, time(NOW)).unwrap();
        fleet
    }

    pub(crate) fn trust(&self) -> PathBuf {
        self.dir.path().join("trust")
    }

    pub(crate) fn next(&self) -> Root {
        self.first.clone().next(time(LATER)).unwrap()
    }

    pub(crate) fn update(
        &self,
        successors: impl IntoIterator<Item = SignedRoot>,
    ) -> Result<VerifiedRoot> {
        self.update_from(successors.into_iter().map(Ok))
    }

    pub(crate) fn update_from(
        &self,
        successors: impl IntoIterator<Item = Result<SignedRoot>>,
    ) -> Result<VerifiedRoot> {
        VerifiedRoot::update(&self.trust(), successors, time(NOW))
    }

    /// The code with which a successor is refused, after a check that nothing was changed.
    #[track_caller]
    pub(crate) fn refusal(&self, successor: SignedRoot) -> &'static str {
        let before = snapshot(&self.trust());
        let error = self.update([successor]).unwrap_err();
        assert_eq!(snapshot(&self.trust()), before);
        error.code()
    }

    pub(crate) fn version(&self) -> u64 {
        VerifiedRoot::open(&self.trust()).unwrap().root().version()
    }
}

pub(crate) fn sign(root: &Root, keys: &[&SecretKey]) -> SignedRoot {
    SignedRoot::sign(root.to_json().unwrap().into_bytes(), keys).unwrap()
}

/// The first root, installed or refused, in a directory of its own.
pub(crate) fn install(signed: SignedRoot) -> Result<VerifiedRoot> {
    let dir = tempfile::tempdir().unwrap();
    let trust = dir.path().join("trust");
    let result = VerifiedRoot::install(&trust, signed, time(NOW));
    assert_eq!(trust.exists(), result.is_ok(), "a refusal makes nothing");
    result
}

#[test]
fn an_installed_root_says_whom_to_trust() {
    let fleet = Fleet::installed();
    let store = TrustStore::open(&fleet.trust()).unwrap();
    assert_eq!(store.root().unwrap().version, 1);
    assert!(store.may_sign(&id(&fleet.acme), "acme", "minilm"));
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let verify = |now| {
        ampoule_signing::Bundle::open(&fixture.path())
            .unwrap()
            .verify(&store, now)
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(verify(time(LATER)), Ok(()));
    // A host that goes on running stops believing it when its time is over.
    let end = time(LATER) + jiff::SignedDuration::from_secs(1);
    assert_eq!(verify(end), Err("trust.root-expired"));
    // Those who sign the root do not sign models.
    fs::remove_file(fixture.file(ampoule_signing::ENVELOPE_FILE)).unwrap();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.ann, &fleet.bob]).unwrap();
    assert_eq!(verify(time(NOW)), Err("trust.unknown-key"));
}

#[test]
fn a_first_root_needs_enough_of_its_own_signatures() {
    let fleet = Fleet::new();
    let (ann, bob) = (&fleet.ann, &fleet.bob);
    install(sign(&fleet.first, &[ann, bob])).unwrap();
    install(sign(&fleet.first, &[ann, bob, &fleet.eve])).unwrap();
    let code = |signed| install(signed).unwrap_err().code();
    assert_eq!(code(sign(&fleet.first, &[])), "signature.missing");
    assert_eq!(code(sign(&fleet.first, &[ann])), "trust.threshold");
    // The publisher's key stands in the root and is none of its own.
    let mut strange = sign(&fleet.first, &[ann]);
    assert_eq!(
        strange.cosign(&fleet.acme).unwrap_err().code(),
        "trust.malformed"
    );
    assert_eq!(strange.cosign(ann).unwrap_err().code(), "usage.signed");
    strange.cosign(bob).unwrap();
    install(strange).unwrap();
}

#[test]
fn a_first_root_that_has_expired_is_not_installed() {
    let fleet = Fleet::new();
    let old = Root::new(
        "fleet",
        [fleet.ann.public_key().clone()],
        threshold(1),
        time("2027-05-31T23:59:59Z"),
    )
    .unwrap();
    let error = install(sign(&old, &[&fleet.ann])).unwrap_err();
    assert_eq!(error.code(), "trust.root-expired");
}

#[test]
fn caps_on_all_models_hold_beside_those_of_a_delegation() {
    let fleet = Fleet::new();
    let mib = ByteSize::from_mib;
    let memory = |size| Caps {
        memory: Some(size),
        ..Caps::default()
    };
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let root = fleet
        .first
        .clone()
        .change_trust(|trust| {
            trust.set_caps(Caps {
                capabilities: names(&["one", "two"]),
                fuel: Some(Fuel::new(7)),
                ..memory(mib(64))
            });
            trust.edit("acme/*".parse().unwrap(), |delegation| {
                Ok(delegation.with_caps(Caps {
                    capabilities: names(&["two", "three"]),
                    output: Some(mib(1)),
                    ..memory(mib(128))
                }))
            })?;
            Ok(())
        })
        .unwrap();
    assert_eq!(
        Root::parse(root.to_json().unwrap().as_bytes()).unwrap(),
        root
    );
    let installed = install(sign(&root, &[&fleet.ann, &fleet.bob])).unwrap();
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let verified = ampoule_signing::Bundle::open(&fixture.path())
        .unwrap()
        .verify(&installed.trust().unwrap(), time(NOW))
        .unwrap();
    let expected = Caps {
        capabilities: names(&["two"]),
        fuel: Some(Fuel::new(7)),
        output: Some(mib(1)),
        ..memory(mib(64))
    };
    assert_eq!(*verified.caps(), expected);
}

#[test]
fn the_keys_for_revocation_are_a_role_of_their_own() {
    let fleet = Fleet::new();
    let (duty, night) = (key(), key());
    let keys = [&duty, &night].map(|key| key.public_key().clone());
    let role = Role::new(keys, threshold(2)).unwrap();
    let root = fleet
        .first
        .clone()
        .with_revocation(Some(role.clone()))
        .unwrap();
    let read = Root::parse(root.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(read.revocation(), Some(&role));
    // They sign neither the root nor models.
    let error = SignedRoot::sign(root.to_json().unwrap().into_bytes(), &[&duty]).unwrap_err();
    assert_eq!(error.code(), "trust.malformed");
    let trust = install(sign(&root, &[&fleet.ann, &fleet.bob]))
        .unwrap()
        .trust()
        .unwrap();
    assert_eq!(trust.key(&id(&duty)), None);
    // And a key that is taken out is taken out there too, if enough are left.
    let refused = root.clone().without_key(&id(&night)).unwrap_err();
    assert_eq!(refused.code(), "trust.malformed");
    let one = Role::new(role.keys().cloned(), threshold(1)).unwrap();
    let left = root
        .with_revocation(Some(one))
        .unwrap()
        .without_key(&id(&night))
        .unwrap();
    assert_eq!(left.revocation().unwrap().keys().count(), 1);
}

#[test]
fn a_trust_directory_has_one_form() {
    let fleet = Fleet::installed();
    let dir = fleet.trust();
    let refused = TrustStore::update(&dir, |_| Ok(())).unwrap_err();
    assert_eq!(refused.code(), "trust.two-forms");
    fs::write(dir.join(TRUST_FILE), "schema = 1\n").unwrap();
    fs::set_permissions(dir.join(TRUST_FILE), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        TrustStore::open(&dir).unwrap_err().code(),
        "trust.two-forms"
    );
    fs::remove_file(dir.join(ROOT_FILE)).unwrap();
    let first = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
    let refused = VerifiedRoot::install(&dir, first, time(NOW)).unwrap_err();
    assert_eq!(refused.code(), "trust.two-forms");
}

#[test]
fn an_installed_root_that_somebody_changed_is_refused() {
    let fleet = Fleet::installed();
    let file = fleet.trust().join(ROOT_FILE);
    let good = fs::read(&file).unwrap();
    for place in (0..good.len()).step_by(41) {
        let mut changed = good.clone();
        changed[place] ^= 1;
        fs::write(&file, &changed).unwrap();
        let error = TrustStore::open(&fleet.trust()).unwrap_err();
        assert!(is_refusal(&error), "byte {place}: {error}");
    }
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(TrustStore::open(&fleet.trust()).is_err());
    fs::write(&file, &good).unwrap();
    TrustStore::open(&fleet.trust()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "trust.permissions");
}

#[test]
fn a_link_in_place_of_the_installed_root_is_refused() {
    let fleet = Fleet::installed();
    let file = fleet.trust().join(ROOT_FILE);
    fs::rename(&file, fleet.trust().join("real")).unwrap();
    std::os::unix::fs::symlink("real", &file).unwrap();
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "file.symlink");
}
