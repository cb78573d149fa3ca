"""Arm and gripper together."""


class ActionMode:
    def __init__(self, arm_action_mode, gripper_action_mode):
        self.arm_action_mode = arm_action_mode
        self.gripper_action_mode = gripper_action_mode


class MoveArmThenGripper(ActionMode):
    def action(self, scene, action):
        assert action.shape == (8,), action.shape
        self.arm_action_mode.action(scene, action[:7])
        self.gripper_action_mode.action(scene, action[7:])
