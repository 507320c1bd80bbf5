//! Which Ed25519 signatures are accepted, by published vectors: RFC 8032, section 7.1, and those of
//! project Wycheproof. What neither has is in `ed25519_edge_cases.rs`.

use std::collections::BTreeMap;

use ampoule_signing::{PublicKey, SecretKey};
use pkcs8::LineEnding;
use pkcs8::der::SecretDocument;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestFlag, TestName, TestSet};

use crate::weak_key::spki_pem;

/// A private key, its public key, a message and its signature.
type Vector = [&'static str; 4];

/// RFC 8032, section 7.1: tests 1 to 3 and SHA(abc).
const RFC_8032: [Vector; 4] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
    [
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ],
];

/// Test 1024 of the same section without its message of 1023 bytes, which Wycheproof has.
const RFC_8032_LONG: [&str; 3] = [
    "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
    "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn exactly<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn public_key(point: &str) -> PublicKey {
    PublicKey::from_pem(&spki_pem(exactly(point))).unwrap()
}

/// The private key in RFC 8410's form, which begins the same for each.
fn private_key(seed: &str) -> SecretKey {
    let der = bytes(&format!("302e020100300506032b657004220420{seed}"));
    let document = SecretDocument::try_from(der).unwrap();
    let pem = document.to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
    SecretKey::from_pem(&pem, None).unwrap()
}

fn eddsa_set() -> TestSet {
    TestSet::load(TestName::Ed25519).unwrap()
}

#[test]
fn the_signatures_of_rfc_8032_are_accepted_and_with_one_other_bit_refused() {
    let long: Vec<u8> = eddsa_set()
        .test_groups
        .into_iter()
        .find(|group| *group.key.pk == bytes(RFC_8032_LONG[1]))
        .map(|group| group.tests[0].msg.to_vec())
        .unwrap();
    assert_eq!(long.len(), 1023);
    let [seed, point, signature] = RFC_8032_LONG;
    let vectors = RFC_8032
        .map(|[seed, point, message, signature]| (seed, point, bytes(message), signature))
        .into_iter()
        .chain([(seed, point, long, signature)]);
    for (seed, point, message, signature) in vectors {
        let key = public_key(point);
        assert_eq!(private_key(seed).public_key(), &key, "{point}");
        let signature: [u8; 64] = exactly(signature);
        assert!(key.verify(&message, &signature), "{point}");
        for bit in 0..512 {
            let mut other = signature;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(&message, &other), "{point}, bit {bit}");
        }
        let more = [&message[..], b"\0"].concat();
        assert!(!key.verify(&more, &signature), "{point}");
    }
}

/// All of Wycheproof's keys load, all of its valid signatures are accepted, and all of its invalid ones
/// refused: `verify_strict` differs from plain verification only where Wycheproof has no vector.
#[test]
fn the_ed25519_vectors_of_wycheproof_end_as_they_say() {
    let (mut accepted, mut refused, mut of_other_length) = (0, 0, 0);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for group in eddsa_set().test_groups {
        let key = PublicKey::from_pem(&group.pem).unwrap();
        assert_eq!(key, public_key_of(&group.key.pk));
        for test in group.tests {
            // What is not 64 bytes long an envelope cannot hold.
            let signature = <[u8; 64]>::try_from(test.sig.to_vec());
            of_other_length += usize::from(signature.is_err());
            let found = signature.is_ok_and(|signature| key.verify(&test.msg, &signature));
            let expected = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("test {}: nothing is left open", test.tc_id),
            };
            assert_eq!(found, expected, "test {}: {}", test.tc_id, test.comment);
            accepted += usize::from(found);
            refused += usize::from(!found);
            for flag in test.flags {
                *kinds.entry(format!("{flag:?}")).or_default() += 1;
            }
        }
    }
    let malleable = kinds[&format!("{:?}", TestFlag::SignatureMalleability)];
    println!(
        "Wycheproof: {accepted} signatures accepted, {refused} refused, {of_other_length} of them for \
         their length; {kinds:?}"
    );
    assert!(accepted >= 88 && refused >= 63 && of_other_length < refused && malleable >= 8);
}

fn public_key_of(point: &[u8]) -> PublicKey {
    PublicKey::from_pem(&spki_pem(point.try_into().unwrap())).unwrap()
}
