"""The demonstration: short word problems that a small model sometimes solves, and what search makes of them."""
