//! An embedded AWS KMS that enforces grants.
