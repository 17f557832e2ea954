//! Runs the example as a user does. Cargo builds it together with the tests, beside this binary.

use std::process::Command;

#[test]
fn two_processes() {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples/two_processes").with_extension(std::env::consts::EXE_EXTENSION);
    let output = Command::new(path).output().expect("`cargo test` has built it");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    for said in ["the first has counted to 20\n", "the second has counted to 20\n"] {
        assert!(printed.contains(said), "{printed}");
    }
    assert!(printed.ends_with("together: 40\n"), "{printed}");
}
