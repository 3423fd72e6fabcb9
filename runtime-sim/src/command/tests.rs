use super::*;

fn exit(arguments: &[&str]) -> Exit {
    run(std::iter::once("pleach-sim").chain(arguments.iter().copied()).map(OsString::from))
}

#[test]
fn exit_codes_tell_usage_from_configuration() {
    assert_eq!(exit(&["list"]), Exit::Done);
    assert_eq!(exit(&["--version"]), Exit::Done);
    assert_eq!(exit(&["run", "--help"]), Exit::Done);
    assert_eq!(exit(&[]), Exit::Usage);
    assert_eq!(exit(&["go"]), Exit::Usage);
    assert_eq!(exit(&["run"]), Exit::Usage);
    assert_eq!(exit(&["run", "no-such-scenario"]), Exit::Usage);
    assert_eq!(exit(&["run", "stable", "--set", "nodse=5"]), Exit::Usage);
    assert_eq!(exit(&["run", "stable", "--seed", "x"]), Exit::Usage);
    assert_eq!(exit(&["band", "stable", "--seeds", "5..5"]), Exit::Usage);
}

#[test]
fn a_file_that_is_wrong_is_a_configuration_error() {
    let directory = std::env::temp_dir().join(format!("pleach-sim-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("wrong.toml");
    std::fs::write(&file, "nodes = true").unwrap();
    let code = exit(&["run", file.to_str().unwrap()]);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(code, Exit::Config);
}

#[test]
fn a_missed_expectation_is_a_failure() {
    let directory = std::env::temp_dir().join(format!("pleach-sim-miss-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("odd.toml");
    std::fs::write(&file, "nodes = 4\nmessages = 1\nwarm_up_ms = 1000\nexpect.components = { min = 2 }")
        .unwrap();
    let name = file.to_str().unwrap().to_owned();
    let codes = [exit(&["run", &name]), exit(&["band", &name, "--seeds", "0..2", "--json"])];
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(codes, [Exit::Liveness, Exit::Liveness]);
}

#[test]
fn a_seed_is_a_number_or_a_commit_hash() {
    assert_eq!(seed("7"), Ok(7));
    assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(seed("00000000000000ff00000000000000000000000a"), Ok(255));
    for neither in ["-1", "00fg", "", "ff"] {
        assert!(seed(neither).is_err(), "{neither}");
    }
    assert_eq!(seeds("0..20"), Ok(0..20));
    assert!(seeds("20").is_err() && seeds("4..2").is_err());
}

#[test]
fn the_line_that_repeats_a_run_can_be_pasted() {
    let which = Which {
        name: "my scenario.toml".into(),
        settings: vec!["kill=80%".into(), "about='x y'".into()],
        json: false,
    };
    let expected = r#"pleach-sim run 'my scenario.toml' --seed 3 --set 'kill=80%' --set "about='x y'""#;
    assert_eq!(which.replay(3), expected);
}
