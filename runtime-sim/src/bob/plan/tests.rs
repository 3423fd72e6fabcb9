use super::*;

fn plan(settings: &[&str], seed: u64) -> Plan {
    let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    Plan::new(&BobRelay::parse("mine.toml", "workload = \"bob-relay\"", &settings).unwrap(), seed)
}

fn people(plan: &Plan) -> Vec<Person> {
    let of = |host: &Host| match &host.who {
        Who::Person(person) => Some(*person),
        Who::Hostile(_) => None,
    };
    plan.hosts.iter().filter_map(of).collect()
}

#[test]
fn every_pair_has_a_sender_a_receiver_and_a_password_of_its_own() {
    let plan = plan(&[], 0);
    assert_eq!(plan.pairs.len(), 24);
    for pair in 0..24 {
        let of_pair: Vec<_> = people(&plan).into_iter().filter(|person| person.pair == pair).collect();
        assert!(of_pair.iter().any(|person| person.part == Part::Sends), "{pair}");
        assert!(
            of_pair.iter().any(|person| matches!(person.part, Part::Receives { right: true, .. })),
            "{pair}"
        );
    }
    let mut passwords: Vec<_> = plan.pairs.iter().map(|pair| &pair.password).collect();
    passwords.sort_unstable();
    passwords.dedup();
    assert_eq!(passwords.len(), 24);
}

#[test]
fn sizes_are_those_at_which_records_end_and_random_ones() {
    let sizes: Vec<_> = plan(&[], 0).pairs.iter().map(|pair| pair.content.len()).collect();
    assert_eq!(sizes[..5], [0, 1, 32_767, 32_768, 70_000]);
    assert!(sizes[5..].iter().any(|size| *size > 150_000) && sizes.iter().all(|size| *size <= 300_000));
    assert!(plan(&["size_max=100"], 0).pairs.iter().all(|pair| pair.content.len() <= 100));
}

#[test]
fn shares_say_how_many_pairs_are_special() {
    let zero = [
        "wrong_first=0",
        "refuse_first=0",
        "rivals=0",
        "slow=0",
        "shared_address=0",
        "faults=0",
        "hostile=0",
    ];
    let calm = plan(&zero, 1);
    assert_eq!((calm.hosts.len(), calm.steps.len()), (48, 48));
    assert!(calm.hosts.iter().all(|host| host.behind.is_none()));
    let count = |setting: &str| plan(&[&zero[..], &[setting]].concat(), 1);
    assert_eq!(count("wrong_first=25%").hosts.len(), 48 + 6);
    assert_eq!(count("refuse_first=25%").hosts.len(), 48 + 6);
    assert_eq!(count("rivals=25%").hosts.len(), 48 + 6);
    let slow = |person: &Person| matches!(person.part, Part::Receives { pause: Some(_), .. });
    assert_eq!(people(&count("slow=50%")).iter().filter(|person| slow(person)).count(), 12);
    let stops = |plan: &Plan| plan.steps.iter().filter(|(_, step)| matches!(step, Step::Stop(..))).count();
    assert_eq!(count("faults=50%").faults.len(), 12);
    assert_eq!(stops(&count("hostile=5")), 5);
    let all = count("faults=100%");
    let stages: std::collections::BTreeSet<_> = all.faults.values().map(|fault| fault.stage).collect();
    assert!(stages.len() > 5, "{stages:?}");
    let crashes = count("relay_crash=true");
    assert!(crashes.steps.iter().any(|(_, step)| matches!(step, Step::StopRelay(_))));
}

#[test]
fn pairs_that_share_an_address_are_a_few_to_an_address() {
    let plan = plan(&["shared_address=50%", "wrong_first=0"], 2);
    let behind = plan.hosts.iter().filter(|host| host.behind.is_some()).count();
    let firsts = plan.hosts.iter().filter_map(|host| host.behind).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(firsts.len(), 3, "twelve pairs, four to an address");
    assert!(behind >= 24 - 3);
    for (number, host) in plan.hosts.iter().enumerate() {
        assert!(host.behind.is_none_or(|first| first < number));
    }
}

#[test]
fn who_tries_again_comes_from_the_same_address() {
    let plan = plan(&["wrong_first=100%", "refuse_first=0", "rivals=0", "shared_address=0"], 3);
    let again = plan.hosts.iter().filter(|host| host.behind.is_some()).count();
    let cancels = plan.steps.iter().filter(|(_, step)| matches!(step, Step::Cancel(_))).count();
    assert_eq!((again, cancels), (24, 24));
}

#[test]
fn steps_are_in_order_and_every_deadline_lies_before_the_end() {
    for seed in 0..5 {
        let plan = plan(&["relay_crash=true"], seed);
        assert!(plan.steps.is_sorted_by_key(|(at, _)| *at));
        assert!(plan.hosts.is_sorted_by_key(|host| host.joins));
        assert!(people(&plan).iter().all(|person| person.deadline < plan.end));
    }
}

#[test]
fn a_draw_in_one_place_shifts_nothing_elsewhere() {
    let one = plan(&["hostile=0"], 7);
    let other = plan(&["hostile=20", "slow=0"], 7);
    assert!(one.pairs == other.pairs);
    assert!(one.pairs != plan(&["hostile=0"], 8).pairs);
}
