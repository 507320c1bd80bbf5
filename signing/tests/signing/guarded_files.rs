//! Every kind of file that a decision rests on, made in a directory of its own, and all that reads it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ampoule_signing::{
    Bundle, ENVELOPE_FILE, Error, PermissionPolicy, PrivateDirectory, PublicKey, REVOCATIONS_FILE,
    ROOT_FILE, ReleaseState, Result, Root, SecretKey, Sha256Digest, SignedRoot, TRUST_FILE,
    Timestamp, TrustStore, VerifiedRoot, pack_directory, read_draft, read_private_text,
    update_draft, write_draft,
};

use crate::file_access::set_mode;
use crate::fixture::Fixture;
use crate::revocation;
use crate::root::{Fleet, NOW, sign, time};

/// A file that a decision rests on.
pub(crate) struct Subject {
    pub(crate) file: PathBuf,
    pub(crate) open: Open,
}

/// Reads it with each function that does, and changes nothing.
type Open = Box<dyn Fn(&PermissionPolicy) -> Result<()>>;

/// A kind of guarded file.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Path) -> Subject,
    /// True if a group that may write is one too many.
    pub(crate) is_private: bool,
    /// True if the directory around it was named, so that others may not even add to it.
    pub(crate) is_in_named_directory: bool,
}

pub(crate) const KINDS: [Kind; 14] = [
    Kind {
        name: "a private key",
        make: private_key,
        is_private: true,
        is_in_named_directory: false,
    },
    Kind {
        name: "a password",
        make: password,
        is_private: true,
        is_in_named_directory: false,
    },
    Kind {
        name: "a public key",
        make: public_key,
        is_private: false,
        is_in_named_directory: false,
    },
    Kind {
        name: "trust.toml",
        make: trust,
        is_private: true,
        is_in_named_directory: true,
    },
    Kind {
        name: "an installed root",
        make: installed_root,
        is_private: true,
        is_in_named_directory: true,
    },
    Kind {
        name: "an installed revocation list",
        make: installed_list,
        is_private: true,
        is_in_named_directory: true,
    },
    Kind {
        name: "the releases of a publisher",
        make: releases,
        is_private: true,
        is_in_named_directory: true,
    },
    Kind {
        name: "a file that a program keeps for itself",
        make: kept,
        is_private: true,
        is_in_named_directory: true,
    },
    Kind {
        name: "a root's draft",
        make: draft,
        is_private: false,
        is_in_named_directory: false,
    },
    Kind {
        name: "a signed root",
        make: signed_root,
        is_private: false,
        is_in_named_directory: false,
    },
    Kind {
        name: "a bundle",
        make: bundle,
        is_private: false,
        is_in_named_directory: false,
    },
    Kind {
        name: "an envelope",
        make: envelope,
        is_private: false,
        is_in_named_directory: true,
    },
    Kind {
        name: "a file of a bundle",
        make: file_of_bundle,
        is_private: false,
        is_in_named_directory: true,
    },
    Kind {
        name: "a packed bundle",
        make: packed_bundle,
        is_private: false,
        is_in_named_directory: false,
    },
];

fn private_key(home: &Path) -> Subject {
    let file = home.join("acme.key");
    SecretKey::generate()
        .unwrap()
        .write_file(&file, None)
        .unwrap();
    subject(file, |permissions, file| {
        SecretKey::read_file(permissions.at(file), || unreachable!()).map(drop)
    })
}

fn password(home: &Path) -> Subject {
    let file = home.join("password");
    fs::write(&file, "a password").unwrap();
    set_mode(&file, 0o600);
    subject(file, |permissions, file| {
        read_private_text(permissions.at(file), "the password file", 100).map(drop)
    })
}

fn public_key(home: &Path) -> Subject {
    let file = home.join("acme.pub");
    let key = SecretKey::generate().unwrap();
    key.public_key().write_file(&file).unwrap();
    subject(file, |permissions, file| {
        PublicKey::read_file(permissions.at(file)).map(drop)
    })
}

pub(crate) fn trust(home: &Path) -> Subject {
    let dir = home.join("trust");
    TrustStore::update(&dir, |store| {
        let key = SecretKey::generate()?;
        store.insert(key.public_key().clone(), ["acme"])
    })
    .unwrap();
    subject(dir.join(TRUST_FILE), |permissions, file| {
        let dir = file.parent().unwrap();
        TrustStore::update(permissions.at(dir), |_| Ok(()))?;
        TrustStore::open(permissions.at(dir)).map(drop)
    })
}

fn installed_root(home: &Path) -> Subject {
    let fleet = Fleet::new();
    let dir = home.join("trust");
    let first = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
    VerifiedRoot::install(&dir, first.clone(), time(NOW)).unwrap();
    subject(dir.join(ROOT_FILE), move |permissions, file| {
        let dir = file.parent().unwrap();
        VerifiedRoot::open(permissions.at(dir))?;
        TrustStore::open(permissions.at(dir))?;
        VerifiedRoot::update(permissions.at(dir), [Ok(first.clone())], time(NOW)).map(drop)
    })
}

fn installed_list(home: &Path) -> Subject {
    let fleet = Fleet::new();
    let dir = home.join("trust");
    let root = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
    VerifiedRoot::install(&dir, root, time(NOW)).unwrap();
    let list = revocation::sign(&revocation::list(), &[&fleet.ann, &fleet.bob]);
    TrustStore::update_revocations(&dir, [Ok(list.clone())], time(NOW)).unwrap();
    subject(dir.join(REVOCATIONS_FILE), move |permissions, file| {
        let dir = permissions.at(file.parent().unwrap());
        TrustStore::open(dir.clone())?;
        TrustStore::update_revocations(dir, [Ok(list.clone())], time(NOW)).map(drop)
    })
}

fn releases(home: &Path) -> Subject {
    let dir = home.join("state");
    let fixture = Fixture::signed();
    let manifest = fixture.verify().unwrap().manifest().clone();
    let digest = Sha256Digest::of(b"this bundle");
    ReleaseState::in_directory(&dir)
        .record(&manifest, digest)
        .unwrap();
    subject(
        dir.join(ReleaseState::file_of("acme")),
        move |permissions, file| {
            let state = ReleaseState::in_directory(file.parent().unwrap())
                .with_permissions(permissions.clone());
            state.check(&manifest, digest)?;
            state.record(&manifest, digest)
        },
    )
}

fn kept(home: &Path) -> Subject {
    let dir = home.join("cache");
    let kept = PrivateDirectory::make(&dir, "the cache").unwrap();
    kept.put("entry", |file| file.write_all(b"code")).unwrap();
    subject(dir.join("entry"), |permissions, file| {
        let dir = permissions.at(file.parent().unwrap());
        let found = PrivateDirectory::make(dir, "the cache")?.open_file("entry")?;
        assert_eq!(found.unwrap().1, 4);
        Ok(())
    })
}

fn draft(home: &Path) -> Subject {
    let file = home.join("root.json");
    write_draft(&file, &Fleet::new().first).unwrap();
    subject(file, |permissions, file| {
        read_draft::<Root>(permissions.at(file))?;
        declined(update_draft::<Root>(permissions.at(file), |_| {
            Err(Error::UsageDeclined)
        }))
    })
}

fn signed_root(home: &Path) -> Subject {
    let fleet = Fleet::new();
    let file = home.join("1.root.dsse.json");
    sign(&fleet.first, &[&fleet.ann]).write_file(&file).unwrap();
    subject(file, move |permissions, file| {
        SignedRoot::read_file(permissions.at(file))?;
        let review = |_: &SignedRoot, _: &Root| Err(Error::UsageDeclined);
        declined(SignedRoot::cosign_file(
            permissions.at(file),
            &fleet.bob,
            review,
        ))
    })
}

/// A change that goes as far as being made, and is not, so that a second look finds what the first did.
fn declined<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(Error::UsageDeclined) => Ok(()),
        other => other.map(drop),
    }
}

fn bundle(home: &Path) -> Subject {
    in_bundle(home, "")
}

fn envelope(home: &Path) -> Subject {
    in_bundle(home, ENVELOPE_FILE)
}

fn file_of_bundle(home: &Path) -> Subject {
    in_bundle(home, "config.json")
}

fn in_bundle(home: &Path, file: &str) -> Subject {
    let (fixture, dir) = (Fixture::signed(), home.join("bundle"));
    fs::rename(fixture.path(), &dir).unwrap();
    let trust = fixture.trust();
    // Not with an empty name behind it: a link would be followed because of the slash.
    let path = if file.is_empty() {
        dir.clone()
    } else {
        dir.join(file)
    };
    subject(path, move |permissions, _| {
        Bundle::open(permissions.at(&dir))?
            .verify(&trust, Timestamp::now())
            .map(drop)
    })
}

fn packed_bundle(home: &Path) -> Subject {
    let (fixture, file) = (Fixture::signed(), home.join("minilm.ampoule"));
    pack_directory(&fixture.path(), &file).unwrap();
    subject(file, move |permissions, file| {
        Bundle::open(permissions.at(file))?
            .verify(&fixture.trust(), Timestamp::now())
            .map(drop)
    })
}

fn subject(
    file: PathBuf,
    open: impl Fn(&PermissionPolicy, &Path) -> Result<()> + 'static,
) -> Subject {
    let path = file.clone();
    Subject {
        file,
        open: Box::new(move |permissions| open(permissions, &path)),
    }
}
