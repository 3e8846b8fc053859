"""Who may call, and with which keys they prove it. In reading order:

=======  ===========================================================================================
clients  the registry: one table per EHR site, checked whole before anyone is answered
tokens   the policy over one token; pure
door     the decision over one request: a caller, nobody in particular, or a 401 without a reason
keys     keys pinned in the registry, or kept from the one address the registry allows
jwks     what makes a published key usable
sandbox  the official sandbox's identity, whose private key anyone may read
explain  every check of one token in words, for whoever connects an EHR
=======  ===========================================================================================
"""
