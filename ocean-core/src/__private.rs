//! __private
