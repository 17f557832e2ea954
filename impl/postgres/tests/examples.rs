//! Runs the example as a user does, on a PostgreSQL of its own. Cargo builds it together with the tests,
//! beside this binary.

use std::process::Command;

use lockspace_servers::Postgres;

#[test]
fn worker_fleet() {
    let Some(server) = Postgres::start() else { return };
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples/worker_fleet").with_extension(std::env::consts::EXE_EXTENSION);
    let output = Command::new(path).arg(server.url()).output().expect("`cargo test` has built it");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let expected = "import: done 20 times by 4 workers\n\
                    invoices: done 20 times by 4 workers\n\
                    report: done 20 times by 4 workers\n\
                    the next one writes: true\n\
                    the late one writes: false\n\
                    import: 21\n";
    assert_eq!(printed, expected);
}
