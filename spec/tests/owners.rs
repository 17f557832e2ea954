//! Who waits for whom, in states that are small enough to be drawn.

use lockspace_spec::owners::{d1_no_deadlock, d2_somebody_goes_on};
use lockspace_spec::{Lease, Limits, Name, Op, OwnerId, RequestId, State, Wait, WaitFor, step};

/// An owner has ten requests.
fn owner_of(request: RequestId) -> OwnerId {
    OwnerId(request.0 / 10)
}

/// The state after these requests have asked for these names, one after the other.
fn after(acquires: &[(u16, u16)]) -> State {
    acquires.iter().fold(State::new(Limits::UNLIMITED), |state, (request, name)| {
        let (request, name) = (RequestId(*request), Name(*name));
        let acquire = Op::Acquire { request, name, wait: Wait::Unbounded, lease: Lease::Unbounded };
        step(&state, &acquire.into()).0
    })
}

/// What is true of a state: whom each owner waits for, who is in the knot, and whether D1 and D2 hold.
type Picture<'a> = (&'a [(u16, u16)], &'a [u16], bool, bool);

fn assert_picture(acquires: &[(u16, u16)], (edges, knot, d1, d2): Picture<'_>) {
    let state = after(acquires);
    let graph = WaitFor::of(&state, &owner_of);
    assert_eq!(graph.is_empty(), edges.is_empty());
    for owner in 0..4 {
        let whom = edges.iter().filter(|(waits, _)| *waits == owner);
        let whom: Vec<OwnerId> = whom.map(|(_, holds)| OwnerId(*holds)).collect();
        assert_eq!(graph.whom(OwnerId(owner)).collect::<Vec<_>>(), whom, "owner {owner}");
        assert_eq!(graph.waits(OwnerId(owner)), !whom.is_empty(), "owner {owner}");
    }
    assert_eq!(graph.knot(), knot.iter().copied().map(OwnerId).collect());
    assert_eq!(d1_no_deadlock(&state, &owner_of), d1);
    assert_eq!(d2_somebody_goes_on(&state, &owner_of), d2);
}

#[test]
fn whoever_waits_in_a_circle_is_in_a_knot_and_so_is_whoever_waits_for_them() {
    assert_picture(&[], (&[], &[], true, true));
    // Nobody waits for a name that is free, or for one's own turn alone.
    assert_picture(&[(0, 0), (10, 1)], (&[], &[], true, true));
    // A chain has an end.
    let chain = [(0, 0), (10, 1), (11, 0), (20, 1)];
    assert_picture(&chain, (&[(1, 0), (2, 1)], &[], true, true));
    // One owner who waits for two is in no knot while they go on.
    let both = [(0, 0), (10, 1), (20, 0), (21, 1)];
    assert_picture(&both, (&[(2, 0), (2, 1)], &[], true, true));
    let circle = [(0, 0), (10, 1), (1, 1), (11, 0), (20, 0)];
    assert_picture(&circle, (&[(0, 1), (1, 0), (2, 0)], &[0, 1, 2], false, false));
    // That somebody else goes on does not undo it.
    let beside = [circle.as_slice(), &[(30, 2)]].concat();
    assert_picture(&beside, (&[(0, 1), (1, 0), (2, 0)], &[0, 1, 2], false, true));
    // Whoever waits for himself is a circle of one.
    assert_picture(&[(0, 0), (1, 0)], (&[(0, 0)], &[0], false, false));
}
