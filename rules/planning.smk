from counterwarp.workflow.planning import plan_thousands

plan_thousands()
