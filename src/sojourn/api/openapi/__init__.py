"""OpenAPI 3.1 descriptions of the four APIs, made from the routes, the tables of fields and the stored types.

`document` has the whole, `operations` what each command takes and gives. A route whose command is not described cannot
be built into a description, and the committed copies in `docs/openapi/` are compared with what is made here.
"""
