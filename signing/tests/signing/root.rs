//! The signed root: who may replace it, by what, and until when it is believed.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ampoule_signing::{
    KeyId, ROOT_FILE, Result, Root, SecretKey, SignedRoot, TRUST_FILE, Timestamp, TrustStore,
    VerifiedRoot,
};

use crate::fixture::{Fixture, snapshot};

const NOW: &str = "2027-06-01T00:00:00Z";
const LATER: &str = "2028-01-01T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn threshold(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn id(key: &SecretKey) -> KeyId {
    key.public_key().key_id()
}

fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}

/// Three people, two of whom sign a root, and the first root that they agreed on.
pub(crate) struct Fleet {
    pub(crate) ann: SecretKey,
    pub(crate) bob: SecretKey,
    eve: SecretKey,
    acme: SecretKey,
    pub(crate) first: Root,
    dir: tempfile::TempDir,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let [ann, bob, eve, acme] = std::array::from_fn(|_| key());
        let people = [&ann, &bob, &eve].map(|key| key.public_key().clone());
        let first = Root::new(people, threshold(2), time(LATER))
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

    /// One that has installed the first root.
    fn installed() -> Self {
        let fleet = Self::new();
        let first = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
        VerifiedRoot::install(&fleet.trust(), first, time(NOW)).unwrap();
        fleet
    }

    fn trust(&self) -> PathBuf {
        self.dir.path().join("trust")
    }

    fn next(&self) -> Root {
        self.first.clone().next(time(LATER)).unwrap()
    }

    fn update(&self, successors: impl IntoIterator<Item = SignedRoot>) -> Result<VerifiedRoot> {
        VerifiedRoot::update(&self.trust(), successors, time(NOW))
    }

    /// The code with which a successor is refused, after a check that nothing was changed.
    #[track_caller]
    fn refusal(&self, successor: SignedRoot) -> &'static str {
        let before = snapshot(&self.trust());
        let error = self.update([successor]).unwrap_err();
        assert_eq!(snapshot(&self.trust()), before);
        assert_eq!(error.exit_code(), 3, "{error}");
        error.code()
    }

    fn version(&self) -> u64 {
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
        [fleet.ann.public_key().clone()],
        threshold(1),
        time("2027-05-31T23:59:59Z"),
    )
    .unwrap();
    let error = install(sign(&old, &[&fleet.ann])).unwrap_err();
    assert_eq!(error.code(), "trust.root-expired");
}

#[test]
fn a_root_is_installed_once_and_only_its_successor_replaces_it() {
    let fleet = Fleet::installed();
    let before = snapshot(&fleet.trust());
    for other in [
        sign(&fleet.first, &[&fleet.ann, &fleet.bob]),
        sign(&fleet.next(), &[&fleet.ann, &fleet.bob]),
    ] {
        let error = VerifiedRoot::install(&fleet.trust(), other, time(NOW)).unwrap_err();
        assert_eq!(error.code(), "trust.root-installed");
    }
    assert_eq!(snapshot(&fleet.trust()), before);
    let updated = fleet
        .update([sign(&fleet.next(), &[&fleet.bob, &fleet.eve])])
        .unwrap();
    assert_eq!((updated.root().version(), fleet.version()), (2, 2));
    let nowhere = fleet.dir.path().join("nowhere");
    let error = VerifiedRoot::update(&nowhere, [], time(NOW)).unwrap_err();
    assert_eq!(error.code(), "trust.root-missing");
    assert!(!nowhere.exists());
}

#[test]
fn a_new_root_needs_the_threshold_of_the_old_and_of_the_new() {
    let fleet = Fleet::installed();
    let (ann, bob, eve) = (&fleet.ann, &fleet.bob, &fleet.eve);
    let (dan, fay) = (key(), key());
    // Bob and Eve go, Dan and Fay come.
    let next = fleet
        .next()
        .with_key(dan.public_key().clone())
        .unwrap()
        .with_key(fay.public_key().clone())
        .unwrap()
        .without_key(&id(bob))
        .unwrap()
        .without_key(&id(eve))
        .unwrap();
    for (signers, code) in [
        (vec![&dan, &fay], "trust.unknown-key"),
        (vec![ann, &dan, &fay], "trust.threshold"),
        (vec![bob, eve], "trust.unknown-key"),
        (vec![ann, bob, eve], "trust.threshold"),
        (vec![bob, eve, &dan], "trust.threshold"),
    ] {
        assert_eq!(fleet.refusal(sign(&next, &signers)), code);
    }
    // Ann is in both, and counts in both.
    fleet.update([sign(&next, &[ann, bob, &dan])]).unwrap();
    // From now on the new keys decide.
    let third = next.next(time(LATER)).unwrap();
    assert_eq!(
        fleet.refusal(sign(&third, &[bob, eve])),
        "trust.unknown-key"
    );
    assert_eq!(
        fleet.refusal(sign(&third, &[ann, bob, eve])),
        "trust.threshold"
    );
    fleet.update([sign(&third, &[&dan, &fay])]).unwrap();
    assert_eq!(fleet.version(), 3);
}

#[test]
fn a_higher_threshold_holds_for_the_root_that_brings_it() {
    let fleet = Fleet::installed();
    let (ann, bob, eve) = (&fleet.ann, &fleet.bob, &fleet.eve);
    let next = fleet.next().with_threshold(threshold(3)).unwrap();
    assert_eq!(fleet.refusal(sign(&next, &[ann, bob])), "trust.threshold");
    fleet.update([sign(&next, &[ann, bob, eve])]).unwrap();
    // And a lower one only from the next on.
    let lower = next
        .next(time(LATER))
        .unwrap()
        .with_threshold(threshold(1))
        .unwrap();
    assert_eq!(fleet.refusal(sign(&lower, &[ann, bob])), "trust.threshold");
    fleet.update([sign(&lower, &[ann, bob, eve])]).unwrap();
    let last = lower.next(time(LATER)).unwrap();
    fleet.update([sign(&last, &[eve])]).unwrap();
}

#[test]
fn an_older_root_is_refused_whenever_it_comes() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    fleet.update([sign(&second, &everybody)]).unwrap();
    assert_eq!(
        fleet.refusal(sign(&fleet.first, &everybody)),
        "trust.root-rollback"
    );
    // Another root of the same version is one of two that cannot both be right.
    let other = fleet.first.clone().next(time(NOW)).unwrap();
    assert_eq!(
        fleet.refusal(sign(&other, &everybody)),
        "trust.root-rollback"
    );
    // The very same is nothing new, whoever signed this copy.
    let before = snapshot(&fleet.trust());
    let same = fleet.update([sign(&second, &[&fleet.ann])]).unwrap();
    assert_eq!(same.root().version(), 2);
    assert_eq!(
        snapshot(&fleet.trust())[&fleet.trust().join(ROOT_FILE)],
        before[&fleet.trust().join(ROOT_FILE)]
    );
}

#[test]
fn no_version_is_left_out_and_a_chain_is_followed() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let signed = |root: &Root| sign(root, &everybody);
    assert_eq!(fleet.refusal(signed(&third)), "trust.root-version");
    // In the wrong order the second comes too late; nothing was replaced before.
    let error = fleet.update([signed(&third), signed(&second)]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.root-version", 1));
    fleet.update([signed(&second), signed(&third)]).unwrap();
    assert_eq!(fleet.version(), 3);
}

#[test]
fn a_chain_may_have_expired_but_for_its_last_root() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let long_ago = fleet
        .first
        .clone()
        .next(time("2027-01-01T00:00:00Z"))
        .unwrap();
    let fresh = long_ago.clone().next(time(LATER)).unwrap();
    let chain = [&long_ago, &fresh].map(|root| sign(root, &everybody));
    assert_eq!(fleet.update(chain).unwrap().root().version(), 3);
}

#[test]
fn a_last_root_that_has_expired_is_put_in_place_and_trusts_nobody() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let expired = fleet
        .first
        .clone()
        .next(time("2027-01-01T00:00:00Z"))
        .unwrap();
    let error = fleet.update([sign(&expired, &everybody)]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.root-expired", 2));
    // The old one, which may trust stolen keys, does not come back.
    assert_eq!(
        fleet.refusal(sign(&fleet.first, &everybody)),
        "trust.root-rollback"
    );
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let store = TrustStore::open(&fleet.trust()).expect("it can still be shown");
    let error = ampoule_signing::Bundle::open(&fixture.path())
        .unwrap()
        .verify(&store, time(NOW))
        .unwrap_err();
    assert_eq!(error.code(), "trust.root-expired");
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
        assert_eq!(error.exit_code(), 3, "byte {place}: {error}");
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
fn two_updates_at_once_leave_one_whole_root() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    // Two successors of the same version that differ in their end: only one can win.
    let ends = ["2027-07-01T00:00:00Z", "2027-08-01T00:00:00Z"];
    let results: Vec<bool> = std::thread::scope(|scope| {
        let running: Vec<_> = ends
            .iter()
            .map(|end| {
                let next = sign(&fleet.first.clone().next(time(end)).unwrap(), &everybody);
                let trust = fleet.trust();
                scope.spawn(move || VerifiedRoot::update(&trust, [next], time(NOW)).is_ok())
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(results.iter().filter(|is_ok| **is_ok).count(), 1);
    assert_eq!(fleet.version(), 2);
}
