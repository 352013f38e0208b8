//! The client against a site in the test process.
