"""What a judgement leaves behind: a screen for people, files for machines and pull requests.

model      the report as data, with its published schema; everything else is made of it
terminal   one screen: verdict, what failed, why, how to see it again
junit, markdown, badge
           for a CI system, a pull request and a README
verify     whether a report is consistent, and of this kit
kit        which kit wrote it, and whether its teeth were proven
"""

__all__: list[str] = []  # see the modules
