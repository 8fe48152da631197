//! Tar streams as layers use them.
