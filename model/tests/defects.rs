//! Every defect is refuted at bounds at which the correct design passes, by the story that is kept.

use std::path::{Path, PathBuf};
use std::{env, fs};

use lockspace_model::defects::{DEFECTS, Defect};
use lockspace_model::verify::refute_all;
use lockspace_spec::SAFETY;

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/counterexamples")
}

fn kept(defect: &Defect) -> PathBuf {
    pages().join(format!("{}.md", defect.name))
}

#[test]
fn every_defect_is_refuted_and_the_correct_design_is_not() {
    for (defect, refuted) in refute_all() {
        assert!(refuted.is_ok(), "{}: {refuted:?}", defect.name);
    }
}

#[test]
fn every_safety_property_has_a_defect_that_breaks_it() {
    for property in SAFETY {
        let broken = DEFECTS.iter().any(|defect| defect.breaks == property.id);
        assert!(broken, "{} {}", property.id, property.name);
    }
}

#[test]
fn the_kept_stories_are_those_that_the_checker_tells() {
    let bless = env::var_os("LOCKSPACE_BLESS").is_some();
    for defect in &DEFECTS {
        let told = defect.page().expect("a defect has a counterexample");
        if bless {
            fs::create_dir_all(pages()).expect("the folder can be made");
            fs::write(kept(defect), &told).expect("the story can be written");
        }
        let kept = fs::read_to_string(kept(defect)).unwrap_or_default();
        assert_eq!(kept, told, "{}: write it with LOCKSPACE_BLESS=1", defect.name);
    }
}

#[test]
fn no_story_is_kept_of_a_defect_that_is_gone() {
    for page in fs::read_dir(pages()).expect("the folder can be read") {
        let path = page.expect("its entries can be read").path();
        assert!(
            DEFECTS.iter().any(|defect| kept(defect).file_name() == path.file_name()),
            "{path:?}"
        );
    }
}
