"""From pictures to pictures: reading, fitting, context, sampling and decoding."""
