//! A jq engine that is exact, bounded and fast.
