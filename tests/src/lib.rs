//! Harness of the integration tests: the real binary as a process, and stand-ins of Port and the
//! tools as servers in the test process.

pub mod crash;
pub mod load;
pub mod port;
pub mod probe;
pub mod process;
pub mod redis;
pub mod stand_in;
