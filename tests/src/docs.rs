//! Every Rust snippet in the READMEs and in `docs/` is a documentation test of this module, with what it
//! needs around it (`build.rs`).

macro_rules! documents {
    ($($module:ident: $path:literal,)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!(concat!(env!("OUT_DIR"), "/", $path))]
        mod $module {}
    )*};
}

documents! {
    readme: "README.md",
    guarantees: "docs/guarantees.md",
    guide: "docs/guide.md",
    history_format: "docs/history-format.md",
    of_lockspace: "impl/lockspace/README.md",
    of_conformance: "impl/conformance/README.md",
    of_etcd: "impl/etcd/README.md",
    of_history: "impl/history/README.md",
    of_postgres: "impl/postgres/README.md",
    of_redis: "impl/redis/README.md",
    of_sqlite: "impl/sqlite/README.md",
    of_spec: "spec/README.md",
}
