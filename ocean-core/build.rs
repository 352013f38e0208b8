//! Present because Cargo wants a build script where `links` forbids a second copy of the crate: two
//! copies would have two registries, and processors of one would be invisible to the other.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
