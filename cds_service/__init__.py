"""A CDS Hooks patient-view service for relapsed and refractory acute lymphoblastic leukemia.

A request becomes facts, facts become a classification, these and the catalogue become assessed options,
and those become a card; nothing flows back. In reading order:

==================  ==================================================================================
decide              the whole pipeline on one screen: select, read, assess, validate what is cited
chart/              FHIR JSON to the few relevant resources (select), and those to facts (read)
clinical/facts      what a chart can say; ``when``, ``percent`` and ``truth`` are the values facts are made of
clinical/timeline   one normalised timeline, made before any rule is asked
clinical/classify   the rules in order; disease_, remission_ and treatment_rules hold them by number
clinical/options    the page's twelve options; ``checks`` holds their conditions
compose             from a decision to the card, and to the assessment as JSON
knowledge           the types of everything in ``cards/``; ``catalogue`` loads and checks it
hooks/              CDS Hooks on the wire: envelope, discovery, feedback
trust/              who may call: client registry, tokens, keys, the door
outbound/, ehr/     the way out, and the FHIR server a site lets us call back
store/              what outlives a process: used tokens, issued cards, feedback
service             the one service: fills what is missing, decides, responds
books               what is kept of answers and of feedback; ``watch`` audits and counts
report/             what became of the cards: figures with intervals, small counts withheld, export
app                 routes, headers, errors, the clock
sandbox/            demo mode: the testers' page, and the stories as a FHIR server
assemble            from the environment to the application, or every reason why not
server              the server ``serve`` runs
==================  ==================================================================================
"""
