//! Packages: whoever finds one without the repository around it finds what it is, its licence, and links that
//! lead somewhere.

use crate::assert_none;
use crate::source::{File, file, files};

/// The manifests of what is published.
fn published() -> Vec<File> {
    let mut manifests = files("spec", "Cargo.toml");
    manifests.extend(files("impl", "Cargo.toml"));
    manifests.retain(|manifest| !manifest.text.contains("\npublish = false\n"));
    manifests
}

fn folder(manifest: &File) -> &str {
    manifest.path.strip_suffix("/Cargo.toml").expect("a manifest lies in a folder")
}

/// What a registry would show, and is not there.
fn undescribed(manifest: &File) -> Vec<String> {
    let line =
        |key: &str| manifest.text.lines().find(|line| line.starts_with(&format!("{key} = ")));
    let name = line("name").and_then(|line| line.split('"').nth(1)).unwrap_or_default();
    let mut complaints = Vec::new();
    for key in ["description", "keywords", "categories"] {
        if line(key).is_none() {
            complaints.push(format!("{} has no {key}", manifest.path));
        }
    }
    let documentation = format!("documentation = \"https://docs.rs/{name}\"");
    let mut wanted =
        vec![documentation.as_str(), "readme = \"README.md\"", "license.workspace = true"];
    if manifest.text.contains("\n[features]\n") {
        wanted.push("[package.metadata.docs.rs]");
    }
    let missing = wanted.iter().filter(|line| !manifest.text.lines().any(|is| is == **line));
    complaints.extend(missing.map(|line| format!("{} lacks {line}", manifest.path)));
    complaints
}

/// Links that lead out of a package, to where there is nothing once it is published.
fn links_out(readme: &File) -> Vec<String> {
    let links = readme.text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let out = links.map(|(link, _)| link).filter(|link| !link.starts_with("https://"));
    out.map(|link| format!("{}: {link} leads out of the package", readme.path)).collect()
}

#[test]
fn every_published_package_says_what_it_is() {
    let published = published();
    assert!(published.len() > 5, "{}", published.len());
    assert_none(published.iter().flat_map(undescribed).collect());
}

#[test]
fn every_published_package_has_the_licences_in_it() {
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let text = file(licence).text;
        for manifest in published() {
            let own = file(&format!("{}/{licence}", folder(&manifest)));
            assert_eq!(own.text, text, "{}", own.path);
        }
    }
}

#[test]
fn no_link_leads_out_of_a_published_package() {
    let readme = |manifest: &File| file(&format!("{}/README.md", folder(manifest)));
    assert_none(published().iter().map(readme).flat_map(|readme| links_out(&readme)).collect());
}

#[test]
fn the_build_packages_all_that_is_published_and_heeds_warnings() {
    let build = file(".ci/run").text;
    let (_, step) = build.split_once("\nrun package cargo package ").expect("there is the step");
    let (step, rest) = step.split_once("\nclean package\n").expect("warnings are looked for");
    assert!(!step.contains("--quiet") && !rest.is_empty());
    let mut packaged: Vec<_> =
        step.split("-p ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
    let published = published();
    let mut names: Vec<_> =
        published.iter().filter_map(|manifest| manifest.text.split('"').nth(1)).collect();
    packaged.sort_unstable();
    names.sort_unstable();
    assert_eq!(packaged, names);
}

#[test]
fn a_package_that_says_too_little_is_found() {
    let all = "[package]\nname = \"a\"\ndescription = \"A.\"\nkeywords = []\ncategories = []\n\
               documentation = \"https://docs.rs/a\"\nreadme = \"README.md\"\n\
               license.workspace = true\n";
    assert_none(undescribed(&File::new("a/Cargo.toml", all)));
    let less = all.replace("keywords = []\n", "").replace("docs.rs/a", "docs.rs/b");
    assert_eq!(undescribed(&File::new("a/Cargo.toml", &less)).len(), 2);
    let features = format!("{all}\n[features]\nb = []\n");
    assert_eq!(undescribed(&File::new("a/Cargo.toml", &features)).len(), 1);
}

#[test]
fn a_link_out_of_a_package_is_found() {
    assert_none(links_out(&File::new("a/README.md", "[a](https://docs.rs/a)")));
    assert_eq!(links_out(&File::new("a/README.md", "[a](../docs/a.md) [b](src/lib.rs)")).len(), 2);
}
