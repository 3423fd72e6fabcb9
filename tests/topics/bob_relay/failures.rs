//! Runs that go wrong.

use pleach_core::bob::public::Public;
use pleach_core::bob::spoke::{Client, Failure, Response, Secret, Server, Verifier};
use serde_json::Value;

use super::{Scripted, array, outcome};
use crate::harness::{Members, Topic, unhex};

pub(super) fn failures(topic: &mut Topic) {
    topic.file("spoke_failures.json", |topic, mut file| {
        topic.cases(&mut file, "server_compute_on_X", bad_x);
        topic.cases(&mut file, "client_compute_on_Y", bad_y);
        topic.cases(&mut file, "hello_on_public", public);
        let case = file.value("wrong_password");
        topic.list("wrong_password", vec![case], |case| {
            wrong_password(case);
            true
        });
        // These change something in the first of the complete runs; without it they do not run.
        let Some(runs) = topic.read::<Value>("spoke_runs.json") else {
            return ["client_checks", "server_finalize"].iter().for_each(|checks| file.remark(checks));
        };
        let run = FirstRun::read(&runs);
        let mut checks = Members::new("client_checks".into(), file.value("client_checks"));
        checks.remark("note");
        topic.cases(&mut checks, "cases", |mut case| {
            let (name, result) = (case.text("name"), case.text("result"));
            assert_eq!(run.checked_by_client(&name), outcome(&result), "{name}");
        });
        topic.cases(&mut file, "server_finalize", |mut case| {
            let (name, result) = (case.text("name"), case.text("result"));
            assert_eq!(run.checked_by_server(&name), outcome(&result), "{name}");
        });
    });
}

/// The published outcome, or `right` where the other implementation errs.
fn expected(case: &mut Members, right: Failure) -> Option<Failure> {
    let published = case.text("result");
    if case.names().iter().any(|name| name == "upstream_defect_or_laxity") {
        case.remark("upstream_defect_or_laxity");
        Some(right)
    } else {
        outcome(&published)
    }
}

fn identities(case: &mut Members) -> [Vec<u8>; 2] {
    ["client_identity", "server_identity"].map(|name| case.text(name).into_bytes())
}

fn bad_x(mut case: Members) {
    let name = case.text("name");
    let verifier = Verifier::decode(&case.bytes("secret"));
    let [us, them] = identities(&mut case);
    let draws = &mut Scripted(case.bytes("y_random"));
    let x = array(&mut case, "X");
    let responded = verifier.and_then(|verifier| Server::respond(&verifier, &x, &us, &them, draws));
    let expected = expected(&mut case, Failure::NotInSubgroup);
    assert_eq!(responded.as_ref().err().copied(), expected, "{name}");
    let published = case.bytes("Y_and_validator");
    if let Ok((Response { y, validator }, _)) = responded {
        assert_eq!([&y[..], &validator].concat(), published, "{name}");
    }
}

fn bad_y(mut case: Members) {
    let name = case.text("name");
    let public = Public::decode(&case.bytes("public")).expect("valid parameters");
    let [us, them] = identities(&mut case);
    let secret = Secret::derive(public, &case.bytes("password"));
    let (_, client) = Client::start(&secret, &mut Scripted(case.bytes("x_random")));
    let finished = client.finish(&array(&mut case, "Y"), &case.bytes("validator"), &us, &them);
    assert_eq!(finished.err(), expected(&mut case, Failure::NotInSubgroup), "{name}");
}

fn public(mut case: Members) {
    let name = case.text("name");
    let draws = &mut Scripted(case.bytes("x_random"));
    let public = Public::decode(&case.bytes("public")).map_err(Failure::from);
    let password = case.bytes("password");
    let started = public.map(|public| Client::start(&Secret::derive(public, &password), draws));
    assert_eq!(started.as_ref().err().copied(), expected(&mut case, Failure::InvalidPublic), "{name}");
    let published = case.bytes("X");
    if let Ok((x, _)) = started {
        assert_eq!(x.as_slice(), published, "{name}");
    }
}

fn wrong_password(mut case: Members) {
    let public = Public::decode(&case.bytes("public")).expect("valid parameters");
    let [us, them] = identities(&mut case);
    let verifier = Secret::derive(public, &case.bytes("server_password")).verifier();
    assert_eq!(verifier.encode().as_slice(), case.bytes("secret"));
    let secret = Secret::derive(public, &case.bytes("client_password"));
    let (x, client) = Client::start(&secret, &mut Scripted(case.bytes("x_random")));
    assert_eq!(x, array(&mut case, "X"));
    let draws = &mut Scripted(case.bytes("y_random"));
    let (response, _) = Server::respond(&verifier, &x, &us, &them, draws).expect("a legal point");
    assert_eq!(response.y, array(&mut case, "Y"));
    assert_eq!(response.validator, array(&mut case, "validator_from_server"));
    let finished = client.finish(&response.y, &response.validator, &us, &them);
    assert_eq!(finished.err(), outcome(&case.text("client_result")));
}

/// An honest run, up to the messages that the checks change.
struct FirstRun {
    secret: Secret,
    identities: [Vec<u8>; 2],
    x_random: Vec<u8>,
    y_random: Vec<u8>,
}

impl FirstRun {
    fn read(runs: &Value) -> Self {
        let text = |name: &str| runs["runs"][0][name].as_str().expect("a text");
        let bytes = |name: &str| unhex(text(name)).expect("hex");
        let public = Public::decode(&bytes("public")).expect("valid parameters");
        Self {
            secret: Secret::derive(public, &bytes("password")),
            identities: ["client_identity", "server_identity"].map(|name| text(name).into()),
            x_random: bytes("x_random"),
            y_random: bytes("y_random"),
        }
    }

    fn respond(&self) -> (Client, Response, Server) {
        let [us, them] = &self.identities;
        let (x, client) = Client::start(&self.secret, &mut Scripted(self.x_random.clone()));
        let draws = &mut Scripted(self.y_random.clone());
        let responded = Server::respond(&self.secret.verifier(), &x, us, them, draws);
        let (response, server) = responded.expect("an honest client");
        (client, response, server)
    }

    fn checked_by_client(&self, change: &str) -> Option<Failure> {
        let (client, response, _) = self.respond();
        let [mut us, mut them] = self.identities.clone();
        let mut validator = response.validator.to_vec();
        match change {
            "wrong validator bit" => validator[63] ^= 0x80,
            "short validator" => validator.truncate(63),
            "swapped identities" => std::mem::swap(&mut us, &mut them),
            other => panic!("an unknown change: {other}"),
        }
        client.finish(&response.y, &validator, &us, &them).err()
    }

    fn checked_by_server(&self, change: &str) -> Option<Failure> {
        let (client, response, server) = self.respond();
        let [us, them] = &self.identities;
        let finished = client.finish(&response.y, &response.validator, us, them);
        let (mut validator, _) = finished.expect("an honest server");
        match change {
            "right validator" => {}
            "wrong validator bit" => validator[0] ^= 1,
            "validator of the other direction" => validator = response.validator,
            other => panic!("an unknown change: {other}"),
        }
        server.finish(&validator).err()
    }
}
