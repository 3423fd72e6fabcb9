//! The laws L1..L9 on every machine, and the proof that the checker sees each of them broken.

use pleach_tests::allocations::Counting;

#[path = "laws/beacon.rs"]
mod beacon;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

mod machines {
    use pleach_tests::laws::campaign;
    use pleach_tests::subjects::bob_client::Hosts;
    use pleach_tests::subjects::bob_relay::Guests;
    use pleach_tests::subjects::bob_server::Callers;
    use pleach_tests::subjects::book::Acquaintances;
    use pleach_tests::subjects::broadcast::Swarm;
    use pleach_tests::subjects::channel::Line;
    use pleach_tests::subjects::dialler::Carriers;
    use pleach_tests::subjects::heads::Announcers;
    use pleach_tests::subjects::node::World;
    use pleach_tests::subjects::overlay::Neighbourhood;
    use pleach_tests::subjects::session::Link;

    #[test]
    fn bob_client_obeys_the_laws() {
        campaign::<Hosts>(800, 160);
    }

    #[test]
    fn bob_server_obeys_the_laws() {
        campaign::<Callers>(800, 160);
    }

    #[test]
    fn bob_relay_obeys_the_laws() {
        campaign::<Guests>(1200, 500);
    }

    #[test]
    fn book_obeys_the_laws() {
        campaign::<Acquaintances>(400, 2000);
    }

    #[test]
    fn channel_obeys_the_laws() {
        campaign::<Line>(2000, 250);
    }

    #[test]
    fn dialler_obeys_the_laws() {
        campaign::<Carriers>(400, 2000);
    }

    #[test]
    fn broadcast_obeys_the_laws() {
        campaign::<Swarm>(200, 4000);
    }

    #[test]
    fn heads_obey_the_laws() {
        campaign::<Announcers>(80, 1200);
    }

    #[test]
    fn node_obeys_the_laws() {
        campaign::<World>(60, 1500);
    }

    #[test]
    fn overlay_obeys_the_laws() {
        campaign::<Neighbourhood>(200, 6000);
    }

    #[test]
    fn session_obeys_the_laws() {
        campaign::<Link>(1500, 250);
    }
}

mod checker {
    use pleach_tests::choices::random;
    use pleach_tests::laws::{Breach, Law, Tally, check};

    use crate::beacon::{Flawed, Sound};

    const RUNS: u64 = 60;

    fn first_breach<const FLAW: usize>() -> Option<Breach> {
        (0..RUNS).find_map(|seed| check::<Flawed<FLAW>>(&random(seed, 600), &mut Tally::default()).err())
    }

    #[test]
    fn a_sound_machine_passes_and_shows_all_it_can_do() {
        pleach_tests::laws::campaign::<Sound>(RUNS, 600);
    }

    #[test]
    fn one_planted_breach_of_each_law_is_rejected() {
        let found = [
            first_breach::<1>(),
            first_breach::<2>(),
            first_breach::<3>(),
            first_breach::<4>(),
            first_breach::<5>(),
            first_breach::<6>(),
            first_breach::<7>(),
            first_breach::<8>(),
            first_breach::<9>(),
        ];
        let laws: Vec<_> = found.iter().map(|breach| breach.as_ref().map(|breach| breach.law)).collect();
        assert_eq!(laws, Law::ALL.map(Some), "{found:#?}");
    }

    #[test]
    fn other_ways_to_break_a_law_are_rejected_too() {
        let panics = first_breach::<12>();
        assert_eq!(panics.map(|breach| breach.law), Some(Law::L2));
        let silent_change = first_breach::<14>();
        assert_eq!(silent_change.map(|breach| breach.law), Some(Law::L4));
        let fails_when_time_goes_back = first_breach::<15>();
        assert_eq!(fails_when_time_goes_back.map(|breach| breach.law), Some(Law::L5));
    }

    #[test]
    fn a_variant_or_state_that_never_occurs_is_named() {
        let missing = Tally::default().missing::<Sound>();
        assert_eq!(missing.len(), 3 + 3 + 3, "{missing:?}");
    }
}
