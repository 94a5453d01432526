"""False pages and detection delay of the rules, on real failure shares and real arrivals.

truth      what really happened: incidents, and whether a page was true
replay     a series' calls -> the engine -> transitions
variants   the rules that are compared
told       transitions -> the notifier -> what people are told
figures    counts over all series
__main__   the runs and the tables
"""
