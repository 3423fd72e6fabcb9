use super::*;

#[test]
fn every_program_is_run_by_a_different_peer() {
    let programs: std::collections::BTreeSet<_> = (0..13).map(Program::numbered).collect();
    assert_eq!(programs.len(), Program::ALL.len());
    assert_eq!(Program::numbered(13), Program::numbered(0));
}

#[test]
fn names_are_remembered_once_and_the_latest_ones() {
    let mut heard = Heard::default();
    for number in 0..NAMES + 10 {
        heard.name(&Identity::new(number.to_string().into()).unwrap());
        heard.name(&Identity::new(number.to_string().into()).unwrap());
    }
    assert_eq!(heard.names.len(), NAMES);
    assert_eq!(heard.names.last().map(ToString::to_string), Some((NAMES + 9).to_string()));
}
