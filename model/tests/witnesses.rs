//! What must be possible is shown to be possible, by a story short enough to read.

use lockspace_model::witness;
use lockspace_spec::REACHABLE;

#[test]
fn every_goal_has_a_witness_that_breaks_nothing() {
    for goal in REACHABLE {
        let story = witness::called(goal.id);
        let fine = story.is_some_and(|story| story.broken().is_empty() && story.length() <= 5);
        assert!(fine, "{} {}", goal.id, goal.name);
    }
}

#[test]
fn what_is_no_goal_has_no_witness() {
    assert!(witness::called("R0").is_none());
}

#[test]
fn a_story_says_who_did_what_and_what_they_were_told() {
    let story = witness::called("R4").expect("a release can hand over").to_string();
    let expected = "\
1. Ann acquires red, without waiting.
   - Ann is told: granted, with token 1.
2. Ben acquires red, with a wait timeout.
   - Ben is told: queued, next in line.
3. Ann releases token 1.
   - Ann is told: released.
   - Ben is told: granted, with token 2.

In the end:

- Ben's body is inside red, with token 2
- the lockspace is open and remembers: red held by Ben with token 2; no timer; its next token is 3
";
    assert_eq!(story, expected);
}
