use rand_core::SeedableRng;

use super::*;

#[test]
fn both_presets_are_valid() {
    assert_eq!(Config::native().validate(), Ok(()));
    assert_eq!(Config::solcial().validate(), Ok(()));
}

#[test]
fn m1_the_native_preset() {
    let config = Config::native();
    assert!(config.establishment && config.heads);
    assert_eq!(config.registration, Registration::Open);
    assert_eq!(config.validation, Validation::Signed);
    assert_eq!(config.broadcast.ids, broadcast::Ids::Content);
    assert!(config.broadcast.validate);
    assert!(!config.overlay.plain_peers);
    assert!(!config.overlay_config().check_registration);
    assert!(config.topics.is_empty());
}

#[test]
fn m1_the_solcial_preset() {
    let config = Config::solcial();
    assert!(!config.establishment && !config.heads);
    assert_eq!(config.registration, Registration::Query);
    assert_eq!(config.validation, Validation::Application);
    assert_eq!(config.broadcast.ids, broadcast::Ids::Opaque);
    assert!(config.broadcast.validate);
    assert!(config.overlay.plain_peers);
    assert!(config.overlay_config().check_registration);
    assert_eq!(config.broadcast.batch, Duration::from_millis(500));
    assert_eq!(config.broadcast.optimise_threshold, 4);
    let overlay = &config.overlay;
    assert_eq!(overlay.shuffle_period, Duration::from_secs(15));
    assert_eq!((overlay.shuffle_walk, overlay.join_walk), (4, 3));
    // An answer about a peer is waited for longer (`identity-and-content` 2.1), and the handshake with it.
    assert_eq!(config.session.answer, Duration::from_secs(30));
    assert_eq!(config.session.handshake, config.channel.upgrade_timeout + config.session.answer);
    // The native preset starts from the same timers.
    let native = Config::native();
    assert_eq!(native.broadcast.batch, config.broadcast.batch);
    assert_eq!(native.overlay.shuffle_period, overlay.shuffle_period);
}

#[test]
fn identity_2_1_limits_and_times_of_registration() {
    let config = Config::solcial();
    assert_eq!((config.registration_questions_max, config.registration_queue_max), (32, 256));
    assert_eq!(config.registration_timeout, Duration::from_secs(5));
    assert_eq!(config.unregistered_lifetime, Duration::from_secs(60));
    assert_eq!(config.registered_lifetime, Duration::from_secs(3600));
    assert_eq!(config.registered_grace, Duration::from_secs(24 * 3600));
}

#[test]
fn o1_limits_of_frames() {
    let config = Config::native();
    assert_eq!(crate::mesh::rpc::FRAME_MAX, 1_024_000);
    assert_eq!((config.membership_max, config.partial_frames_max), (65_536, 67_108_864));
}

#[test]
fn the_size_of_the_network_is_that_of_its_overlays() {
    let config = Config { network_size: 77, ..Config::native() };
    assert_eq!(config.overlay_config().network_size, 77);
}

#[test]
fn names_and_metadata_have_lengths() {
    let network = |length: usize| Config { network: "n".repeat(length), ..Config::native() }.validate();
    assert_eq!(network(0), Err(ConfigError::Network));
    assert_eq!(network(1), Ok(()));
    assert_eq!(network(64), Ok(()));
    assert_eq!(network(65), Err(ConfigError::Network));
    let metadata = |length: usize| {
        Config { metadata: Bytes::from(alloc::vec![0; length]), ..Config::native() }.validate()
    };
    assert_eq!(metadata(1024), Ok(()));
    assert_eq!(metadata(1025), Err(ConfigError::Metadata));
}

#[test]
fn topics_have_names_and_a_number() {
    let topics = |names: &[&str]| {
        let topics = names.iter().map(ToString::to_string).collect();
        Config { topics, topics_max: 2, ..Config::native() }.validate()
    };
    assert_eq!(topics(&["a", &"b".repeat(256)]), Ok(()));
    assert_eq!(topics(&["a", "b", "c"]), Err(ConfigError::Topics));
    assert_eq!(topics(&[""]), Err(ConfigError::Topics));
    assert_eq!(topics(&[&"b".repeat(257)]), Err(ConfigError::Topics));
}

#[test]
fn a_node_is_not_made_of_a_software_that_no_head_can_name() {
    let make = |config: Config| {
        let mut rng = rand_chacha::ChaCha8Rng::from_seed([1; 32]);
        let pair = crate::identity::Keypair::from_seed(&[1; 32]);
        let node = super::super::Node::new(config, pair, &Default::default(), crate::At::default(), &mut rng);
        node.map(|_| ())
    };
    assert_eq!(make(Config::native()), Ok(()));
    assert_eq!(make(Config { software: String::new(), ..Config::native() }), Err(ConfigError::Software));
    assert_eq!(make(Config { version: "1".repeat(17), ..Config::native() }), Err(ConfigError::Software));
}
