//! The real stack, measured by the address of a local variable.
//!
//! Counting depth is not enough: frames differ between build modes and between kinds of nodes.
//! Every recursive function of the crate asks here whether the stack has grown past its budget.

/// The address of the current frame.
#[inline(always)]
pub(crate) fn address() -> usize {
    let local = 0_u8;
    std::hint::black_box(&raw const local).addr()
}

/// The lowest address that may be used with a budget counted from here. Stacks grow downwards on
/// every target that Rust supports.
#[inline(always)]
pub(crate) fn floor(budget: usize) -> usize {
    address().saturating_sub(budget)
}

/// Whether the stack has grown past the floor.
#[inline(always)]
pub(crate) fn is_below(floor: usize) -> bool {
    address() < floor
}
