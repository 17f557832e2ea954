//! Every Rust snippet in the README and in `docs/` is a documentation test of this module.

macro_rules! documents {
    ($($module:ident: $path:literal,)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        mod $module {}
    )*};
}

documents! {
    readme: "../../README.md",
    architecture: "../../docs/ARCHITECTURE.md",
    guarantees: "../../docs/guarantees.md",
    guide: "../../docs/guide.md",
    history_format: "../../docs/history-format.md",
    invariants: "../../docs/invariants.md",
    testing: "../../docs/testing.md",
    vocabulary: "../../docs/vocabulary.md",
}
