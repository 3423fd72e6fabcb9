//! Complete runs, and each of their steps.

use std::num::NonZeroU32;

use pleach_core::bob::public::{Cipher, Public};
use pleach_core::bob::spoke::derivation::Derivation;
use pleach_core::bob::spoke::group::{Element, Exponent};
use pleach_core::bob::spoke::map::from_uniform;
use pleach_core::bob::spoke::schedule::{MainKey, Transcript};
use pleach_core::bob::spoke::{Client, Secret, Server, VERIFIER_LENGTH, Verifier};
use serde_json::Value;

use super::{Scripted, array};
use crate::harness::{Members, Topic, unhex};

pub(super) fn runs(topic: &mut Topic) {
    topic.file("spoke_runs.json", |topic, mut file| {
        topic.cases(&mut file, "runs", |mut case| {
            let run = Run::read(&mut case);
            run.secrets(&mut case);
            run.steps(&mut case);
            run.sides(&mut case);
        });
    });
}

/// What a run starts from, and what it sends.
struct Run {
    name: String,
    password: Vec<u8>,
    public: Public,
    client_identity: String,
    server_identity: String,
    x_random: [u8; 32],
    y_random: [u8; 32],
    x_sent: [u8; 32],
    y_sent: [u8; 32],
    main_key: [u8; 64],
}

impl Run {
    fn read(case: &mut Members) -> Self {
        let mut cipher = |name| {
            let number = case.number(name).try_into().expect("a number of 16 bits");
            Cipher::from_number(number).expect("a known cipher")
        };
        let ciphers = [cipher("cipher_client_to_index0"), cipher("cipher_index1")];
        let count = case.number("count").try_into().expect("a count of 32 bits");
        let public = Public::new(count, ciphers, array(case, "salt")).expect("valid parameters");
        assert_eq!(public.encode(), array(case, "public"));
        assert_eq!(Public::decode(&public.encode()), Ok(public));
        Self {
            name: case.text("name"),
            password: case.bytes("password"),
            public,
            client_identity: case.text("client_identity"),
            server_identity: case.text("server_identity"),
            x_random: array(case, "x_random"),
            y_random: array(case, "y_random"),
            x_sent: array(case, "X"),
            y_sent: array(case, "Y"),
            main_key: array(case, "main_key"),
        }
    }

    const fn identities(&self) -> (&[u8], &[u8]) {
        (self.client_identity.as_bytes(), self.server_identity.as_bytes())
    }

    /// The password, derived in one go, in small steps, and taken apart.
    fn secrets(&self, case: &mut Members) {
        let encoded: [u8; VERIFIER_LENGTH] = array(case, "secret");
        let verifier = Secret::derive(self.public, &self.password).verifier();
        assert_eq!(*verifier.encode(), encoded, "{}", self.name);
        let read = Verifier::decode(&encoded).expect("its own encoding");
        assert_eq!((*read.encode(), read.public()), (encoded, &self.public), "{}", self.name);

        let derived: [u8; 128] = array(case, "pbkdf2_output");
        let parts = [array(case, "M"), array(case, "N"), array(case, "h_K"), array(case, "h_L")];
        let count = NonZeroU32::new(self.public.count()).expect("valid parameters");
        let mut derivation = Derivation::new(&self.password, self.public.salt(), count, derived.len());
        let ours = std::iter::repeat_with(|| derivation.advance(7)).find_map(|ours| ours);
        assert_eq!(ours.expect("it repeats").as_slice(), derived, "{}", self.name);
        let ([m, n, h_k, h_l], []) = derived.as_chunks() else { panic!("four parts") };
        assert_eq!([from_uniform(m).encode(), from_uniform(n).encode(), *h_k, *h_l], parts, "{}", self.name);
        let l = Element::base_times(&Exponent::clamped(*h_l)).encode();
        assert_eq!(l, array(case, "L"), "{}", self.name);
        assert_eq!(encoded, [&self.public.encode()[..], &parts[..3].concat(), &l].concat().as_slice());
    }

    /// From the drawn bytes to the keys, by hand.
    fn steps(&self, case: &mut Members) {
        let (x, y) = (Exponent::masked(self.x_random), Exponent::masked(self.y_random));
        assert_eq!([*x.as_bytes(), *y.as_bytes()], [array(case, "x"), array(case, "y")], "{}", self.name);
        let derived = derived(&self.password, &self.public);
        let ([m, n, h_k, h_l], []) = derived.as_chunks() else { panic!("four parts") };
        let (m, n, h_l) = (from_uniform(m), from_uniform(n), Exponent::clamped(*h_l));
        assert_eq!(Element::base_times(&x).plus(&m).encode(), self.x_sent, "{}", self.name);
        assert_eq!(Element::base_times(&y).plus(&n).encode(), self.y_sent, "{}", self.name);
        let gx = Element::decode(&self.x_sent).expect("a point").minus(&m);
        let gy = Element::decode(&self.y_sent).expect("a point").minus(&n);
        assert_eq!([gx.encode(), gy.encode()], [array(case, "gx"), array(case, "gy")], "{}", self.name);
        let (z, v) = (gx.times(&y).expect("an element"), gy.times(&h_l).expect("an element"));
        assert_eq!(gy.times(&x), Some(z), "{}", self.name);
        assert_eq!(Element::base_times(&h_l).times(&y), Some(v), "{}", self.name);
        let (z, v) = (z.encode(), v.encode());
        assert_eq!([z, v], [array(case, "Z"), array(case, "V")], "{}", self.name);

        let (client_identity, server_identity) = self.identities();
        let (x, y) = (&self.x_sent, &self.y_sent);
        let transcript = Transcript { client_identity, server_identity, x, y, z: &z, h_k, v: &v };
        assert_eq!(*transcript.to_bytes(), case.bytes("transcript"), "{}", self.name);
        assert_eq!(*transcript.main_key().as_bytes(), self.main_key, "{}", self.name);
    }

    /// Both sides, with the drawn bytes.
    fn sides(&self, case: &mut Members) {
        let secret = Secret::derive(self.public, &self.password);
        let (us, them) = self.identities();
        let (x, client) = Client::start(&secret, &mut Scripted(self.x_random.into()));
        assert_eq!(x, self.x_sent, "{}", self.name);
        let draws = &mut Scripted(self.y_random.into());
        let responded = Server::respond(&secret.verifier(), &x, us, them, draws);
        let (response, server) = responded.expect("an honest client");
        assert_eq!(response.y, self.y_sent, "{}", self.name);
        assert_eq!(response.validator, array(case, "validator_2_sent_by_server"), "{}", self.name);
        let finished = client.finish(&response.y, &response.validator, us, them);
        let (validator, ours) = finished.expect("an honest server");
        assert_eq!(validator, array(case, "validator_3_sent_by_client"), "{}", self.name);
        let theirs = server.finish(&validator).expect("an honest client");
        let published = [array(case, "shared_key_0"), array(case, "shared_key_1")];
        for keys in [ours, theirs] {
            assert_eq!([*keys.of_server(), *keys.of_client()], published, "{}", self.name);
        }
    }
}

/// Everything at once.
fn derived(password: &[u8], public: &Public) -> Vec<u8> {
    let count = NonZeroU32::new(public.count()).expect("valid parameters");
    let derived = Derivation::new(password, public.salt(), count, 128).advance(u32::MAX);
    derived.expect("enough iterations").to_vec()
}

pub(super) fn maps(topic: &mut Topic) {
    topic.file("from_uniform.json", |topic, mut file| {
        topic.cases(&mut file, "cases", |mut case| {
            assert_eq!(from_uniform(&array(&mut case, "input")).encode(), array(&mut case, "point"));
        });
    });
}

pub(super) fn derivations(topic: &mut Topic) {
    topic.file("pbkdf2_le_counter.json", |topic, mut file| {
        topic.cases(&mut file, "cases", |mut case| {
            let (password, salt) = (case.bytes("password"), case.bytes("salt"));
            let count = u32::try_from(case.number("count")).ok().and_then(NonZeroU32::new);
            let length = case.number("length").try_into().expect("a length");
            let mut derivation = Derivation::new(&password, &salt, count.expect("a count"), length);
            let ours = std::iter::repeat_with(|| derivation.advance(u32::MAX)).find_map(|ours| ours);
            assert_eq!(*ours.expect("it repeats"), case.bytes("output"));
        });
    });
}

pub(super) fn subkeys(topic: &mut Topic) {
    topic.file("subkeys.json", |topic, mut file| {
        topic.cases(&mut file, "cases", |mut case| {
            let main = MainKey::from_bytes(array(&mut case, "main_key"));
            for (number, published) in (0..).zip(case.values("subkeys")) {
                let published = published.as_str().and_then(unhex).expect("a key in hex");
                assert_eq!(main.subkey(number).as_slice(), published);
            }
        });
    });
}

pub(super) fn group(topic: &mut Topic) {
    topic.file("group.json", |topic, mut file| {
        topic.cases(&mut file, "scalar_multiplications", |mut case| {
            let bits = array(&mut case, "scalar");
            let point = Element::decode(&array(&mut case, "point")).expect("a point");
            let published = |value: Value| {
                (!value.is_null()).then(|| value.as_str().and_then(unhex).expect("a point in hex"))
            };
            let base = |exponent| {
                let product = Element::base_times(exponent);
                // The other implementation refuses the identity; drawn exponents are never multiples of the order.
                (product != product.minus(&product)).then_some(product)
            };
            let (plain, clamped) = (Exponent::from_bits(bits), Exponent::clamped(bits));
            for (name, ours) in [
                ("noclamp", point.times(&plain)),
                ("clamp", point.times(&clamped)),
                ("base_noclamp", base(&plain)),
                ("base_clamp", base(&clamped)),
            ] {
                let ours = ours.map(|ours| ours.encode().to_vec());
                assert_eq!(ours, published(case.value(name)), "{name}");
            }
        });
    });
}
