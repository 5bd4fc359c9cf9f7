"""Other people's methods, trained on our episodes and asked our questions, to compare with.

So far one: a model that writes pictures token by token, after the large vision model (LVM) of Bai
et al., "Sequential Modeling Enables Scalable Learning for Large Vision Models" (2023).
"""
